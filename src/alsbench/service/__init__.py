"""What a user can ask of a workspace, once, with its mask and its entry in the audit log: for shell, app, Python."""

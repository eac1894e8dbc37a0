"""Print the reference page of keys."""

import sys

from alsbench.tui.commands import keys_markdown

sys.stdout.write(keys_markdown())

"""The terminal as Textual drives it, but for one that goes away: what cannot be written any more is dropped, and the app ends.

Textual hands what it writes to a thread through a short queue. When the terminal is gone that thread ends, the queue fills,
and who writes next waits for ever: an app that had just taken its terminal back from a pager would stay behind.
"""

from __future__ import annotations

from textual.drivers.linux_driver import LinuxDriver

LEFT = "\x1b[?1049l"  # the alternate screen
CLEARED = "\x1b[0m\x1b[H\x1b[2J"  # before that: tmux mixes its lines into the shell's where the window has grown meanwhile
LOST = 129  # 128 + SIGHUP: what a shell reports of a program whose terminal hung up


class LastingDriver(LinuxDriver):
    """A driver that outlives its terminal, and reads it with one thread.

    Told to go on without having been stopped (SIGCONT, as the system sends it when a terminal hangs up), Textual starts threads
    once more: two would share the keys between them, and at the end one is left reading the end of the terminal for ever.
    """

    lost = False

    def start_application_mode(self) -> None:
        if self._key_thread is not None and self._key_thread.is_alive():
            self.disable_input()
            super().close()
        self.exit_event.clear()
        super().start_application_mode()  # type: ignore[no-untyped-call]

    @property
    def writable(self) -> bool:
        """Whether somebody still takes what is written; the first time nobody does, the app is told to end."""
        thread = self._writer_thread
        if thread is not None and not thread.is_alive() and not self.lost:
            self.lost = True
            self._app.call_later(self._app.exit, LOST, return_code=LOST)
        return not self.lost

    def write(self, data: str) -> None:
        if self.writable:
            super().write(CLEARED + data if data == LEFT else data)

    def close(self) -> None:
        self.exit_event.set()  # for any thread that still reads
        if self.writable:
            super().close()

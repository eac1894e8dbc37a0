"""Screen 6: what a sceptical reviewer asks, and where this version answers it. ``enter`` goes there.

Only checks that exist are offered; the rest of the list says that it is not answered here yet, so that nothing looks
checked that was not.
"""

from __future__ import annotations

from alsbench.tui import actions as act
from alsbench.tui.models import Grid, GridRow, grid
from alsbench.tui.safetext import safe
from alsbench.tui.screens.base import View

CHECKS: tuple[tuple[str, str, str], ...] = (
    ("Overall result beside the subgroup", "evidence", "column overall"),
    ("Complement result", "evidence", "column not NAME"),
    ("Arm-by-subgroup interaction", "forest", "column inter."),
    ("Baseline balance within the subgroup", "subgroups", "balance (SMD)"),
    ("Every visit and the horizon, not only the significant ones", "endpoint", "table"),
    ("CAFS components: wins, losses, ties", "endpoint", "joint rank table"),
    ("Gehan-Wilcoxon beside ANCOVA", "endpoint", "joint rank table"),
    ("Cut-off sweep with a sup-test", "", ""),
    ("STEPP with a permutation sup-test", "", ""),
    ("Selection-adjusted p over the declared search", "", ""),
    ("Selection-adjusted estimate and shrinkage", "", ""),
    ("Multiplicity ledger: Holm, Hochberg, gatekeeping, Westfall-Young", "", ""),
    ("Three-arm ranks and a dose trend", "", ""),
    ("Specification curve over the CAFS options", "", ""),
    ("Missingness by arm; J2R, tipping point, completers", "", ""),
    ("Re-randomisation test", "", ""),
    ("Shared-control influence", "", ""),
    ("Regression to the mean", "", ""),
    ("Concordance of ALSFRS-R, SVC and NfL by subject", "", ""),
    ("NfL as mediator or surrogate", "", ""),
    ("Type M and S error, replication probability", "", ""),
    ("ICEMAN form and the EMA subgroup checklist", "", ""),
)


class ScrutinyView(View):
    row_cursor = True

    def refresh_view(self) -> None:
        known = sum(bool(screen) for _, screen, _ in CHECKS)
        self.title("Scrutiny", (f"  {known} of {len(CHECKS)} checks are answered in this version; enter goes there", "dim"))
        rows = []
        for number, (name, screen, where) in enumerate(CHECKS, start=1):
            role = "" if screen else "dim"
            texts = (screen or "-", f"{name} ({where})" if where else name)
            cells = ((str(number), role), *((safe(t, ascii=self.ascii), role) for t in texts))
            rows.append(GridRow(cells, source=screen))
        self.show_grid(Grid((grid(["", "screen", "check"], rows, right=[0], frozen=2, most=100),)))
        self.say("")

    async def do_open(self) -> None:
        screen = self.source()
        if screen:
            await self.bench.dispatch_action(act.GoTo(screen))
        else:
            self.bench.status("this check is not in this version")

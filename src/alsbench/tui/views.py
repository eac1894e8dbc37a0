"""Which class shows which screen; imported when first shown, so that first paint pays for one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alsbench.tui.app import Workbench
    from alsbench.tui.screens.base import View

VIEWS = {
    "evidence": ("evidence", "EvidenceView"),
    "arms": ("arms", "ArmsView"),
    "subgroups": ("subgroups", "SubgroupsView"),
    "endpoint": ("endpoint", "EndpointView"),
    "forest": ("forest", "ForestView"),
    "scrutiny": ("scrutiny", "ScrutinyView"),
    "safety": ("safety", "SafetyView"),
    "data": ("data", "DataView"),
    "log": ("log", "LogView"),
    "claims": ("claims", "ClaimsView"),
}


def make_view(bench: Workbench, name: str) -> View:
    """The view of a screen."""
    module, cls = VIEWS[name]
    made: View = getattr(import_module(f"alsbench.tui.screens.{module}"), cls)(bench, name)
    return made

"""alsbench: a terminal workbench for the analysis and scrutiny of ALS trials, and its models on any DataFrame.

``import alsbench as als`` imports nothing else; a name such as ``als.mmrm`` brings its libraries when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from alsbench.version import __version__

if TYPE_CHECKING:
    from alsbench.errors import AlsbenchError as AlsbenchError
    from alsbench.errors import DataError as DataError
    from alsbench.errors import ExpressionError as ExpressionError
    from alsbench.errors import UsageError as UsageError
    from alsbench.models.cox import CoxResults as CoxResults
    from alsbench.models.cox import cox as cox
    from alsbench.models.expression import FrameExpression as FrameExpression
    from alsbench.models.expression import expression as expression
    from alsbench.models.joint_rank import CAFSResults as CAFSResults
    from alsbench.models.joint_rank import PairResults as PairResults
    from alsbench.models.joint_rank import cafs as cafs
    from alsbench.models.joint_rank import win_statistics as win_statistics
    from alsbench.models.kaplan_meier import KaplanMeierResults as KaplanMeierResults
    from alsbench.models.kaplan_meier import kaplan_meier as kaplan_meier
    from alsbench.models.linear import ANCOVAResults as ANCOVAResults
    from alsbench.models.linear import ancova as ancova
    from alsbench.models.mmrm import MMRMResults as MMRMResults
    from alsbench.models.mmrm import mmrm as mmrm
    from alsbench.models.slopes import SlopeResults as SlopeResults
    from alsbench.models.slopes import slopes as slopes
    from alsbench.service.answer import Answer as Answer
    from alsbench.service.trial import Trial as Trial
    from alsbench.service.trial import demo as demo
    from alsbench.service.trial import load as load
    from alsbench.service.trial import open as open
    from alsbench.service.trial import reconcile as reconcile

_HOMES = {
    "ANCOVAResults": "models.linear",
    "Answer": "service.answer",
    "AlsbenchError": "errors",
    "CAFSResults": "models.joint_rank",
    "CoxResults": "models.cox",
    "DataError": "errors",
    "ExpressionError": "errors",
    "FrameExpression": "models.expression",
    "KaplanMeierResults": "models.kaplan_meier",
    "MMRMResults": "models.mmrm",
    "PairResults": "models.joint_rank",
    "SlopeResults": "models.slopes",
    "Trial": "service.trial",
    "UsageError": "errors",
    "ancova": "models.linear",
    "cafs": "models.joint_rank",
    "cox": "models.cox",
    "demo": "service.trial",
    "expression": "models.expression",
    "kaplan_meier": "models.kaplan_meier",
    "load": "service.trial",
    "mmrm": "models.mmrm",
    "open": "service.trial",
    "reconcile": "service.trial",
    "slopes": "models.slopes",
    "win_statistics": "models.joint_rank",
}
__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - the names of a dict


if not TYPE_CHECKING:  # a name that is not there is an error to a type checker too

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""One registry: no key twice where it counts, every command findable, the reference page current."""

from __future__ import annotations

from pathlib import Path

import pytest

from alsbench.tui import actions as act
from alsbench.tui.app import Workbench, view_class
from alsbench.tui.commands import COMMANDS, FORBIDDEN_KEYS, Registry, entries, keys_markdown
from alsbench.tui.exporter import Exporter
from alsbench.tui.overlays import Overlays
from alsbench.tui.session import SCREENS, TABS, Catalogue, CatalogueItem, ScreenPlace, Session

REGISTRY = Registry()
CATALOGUE = Catalogue(
    endpoints=(CatalogueItem("cafs", "CAFS"), CatalogueItem("nfl", "Serum NfL")),
    comparisons=(CatalogueItem("G1-M6"), CatalogueItem("G2-M12")),
    subgroups=(CatalogueItem("slow", "Slow progressors"),),
    visits=(("cafs", (3.0, 6.0)),),
)
PLACES = [Session(place=ScreenPlace(s, t, arm)) for s in SCREENS for t in TABS for arm in (None, "Group 1")]


def test_ids_are_unique_and_keys_allowed() -> None:
    assert len({c.id for c in COMMANDS}) == len(COMMANDS)
    assert not FORBIDDEN_KEYS & set(REGISTRY.keys)


@pytest.mark.parametrize("session", PLACES, ids=lambda s: f"{s.screen}-{s.place.tab}-{s.place.arm}")
def test_a_key_means_one_thing_in_a_place(session: Session) -> None:
    keys = [k for c in REGISTRY.available(session) for k in c.keys]
    assert sorted(keys) == sorted(set(keys))


def test_every_command_does_something() -> None:
    everywhere = [Workbench, Exporter, Overlays]
    for command in COMMANDS:
        if command.screens:
            done = all(any(hasattr(d, command.method) for d in (view_class(s), *everywhere)) for s in command.screens)
        else:
            done = any(hasattr(d, command.method) for d in (*everywhere, *(view_class(name) for name in SCREENS)))
        assert command.build or command.with_argument or done, command.id
        assert command.help
        assert command.help == command.help.strip()


@pytest.mark.parametrize(
    ("words", "found"),
    [("subgroup add", "subgroup.add"), ("no such words", ""), ("osc", "copy_cell"), ("go forest", "screen.forest")],
)
def test_the_palette_finds_any_word(words: str, found: str) -> None:
    hits = [e.command.id for e in entries(REGISTRY, Session(place=ScreenPlace("subgroups")), CATALOGUE, words)]
    assert (found in hits) if found else not hits


def test_the_palette_finds_what_other_screens_do_and_says_where() -> None:
    for command in COMMANDS:
        for place in (ScreenPlace("log"), ScreenPlace("endpoint")):
            found = entries(REGISTRY, Session(place=place), CATALOGUE, f"{command.id} {command.name}")
            assert command.id in {e.command.id for e in found}
    hits = entries(REGISTRY, Session(place=ScreenPlace("log")), CATALOGUE, "freeze")
    assert [(e.command.id, e.elsewhere) for e in hits] == [("freeze", "Data")]
    assert not [e for e in entries(REGISTRY, Session(place=ScreenPlace("log")), CATALOGUE, "") if e.elsewhere]


def test_the_palette_offers_arguments() -> None:
    hits = entries(REGISTRY, Session(), CATALOGUE, "endpoint nfl")
    assert [(e.command.id, e.argument) for e in hits] == [("endpoint", "nfl")]


def test_keys_build_the_actions_of_the_command_line() -> None:
    session = Session(place=ScreenPlace("endpoint"))
    command = REGISTRY.for_key("}", session)
    assert command is not None
    assert command.build is not None
    assert command.build(session, CATALOGUE) == act.SetEndpoint("cafs")
    visit = REGISTRY["visit"].with_argument
    assert visit is not None
    assert [visit("6"), visit("all"), visit("Month 6")] == [act.SetVisit(6.0), act.SetVisit(None), act.SetVisit(6.0)]


def test_a_keymap_replaces_keys_and_is_checked() -> None:
    changed = Registry(keymap={"help": ("f1",)})
    found = changed.for_key("f1", Session())
    assert found is not None
    assert found.id == "help"
    assert changed.for_key("?", Session()) is None
    with pytest.raises(ValueError, match="no command"):
        Registry(keymap={"halp": ("f1",)})
    with pytest.raises(ValueError, match="cannot be bound"):
        Registry(keymap={"help": ("ctrl+b",)})


def test_the_keys_page_is_current() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "keys.md"
    assert page.read_text(encoding="utf-8") == keys_markdown(), "write it again: python -m alsbench.tui.commands > docs/keys.md"


def test_the_settings_page_is_current_and_says_all() -> None:
    import tomllib

    from alsbench.settings import KNOWN
    from alsbench.tui.configuration import HEAD, SAID, page

    made = (Path(__file__).resolve().parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert made == page(), "write it again: python -m alsbench.tui.configuration > docs/configuration.md"
    assert set(SAID) == set(KNOWN)
    assert all(f"| `{c.id}` |" in made for c in COMMANDS)
    example = tomllib.loads(HEAD.split("```toml\n")[1].split("```")[0])
    assert set(example) <= set(KNOWN)
    Registry(keymap={k: (v,) if isinstance(v, str) else tuple(v) for k, v in example["keys"].items()})

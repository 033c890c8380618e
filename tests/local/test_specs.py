"""What services are read from, and what is said about those that cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_client._local import approvals, inspection, projects, specs, standing
from ivcap_client._local.specs import BadSpec

SCRIPT = (
    '# /// script\n# requires-python = ">=3.11"\n# dependencies = ["ivcap-ai-tool>=0.7", "numpy"]\n# ///\nprint(1)\n'
)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVCAP_STATE_DIR", str(tmp_path / "state"))


def script(tmp_path: Path, text: str = SCRIPT, name: str = "trend.py") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_script_says_what_it_needs(tmp_path: Path) -> None:
    spec = specs.from_option(str(script(tmp_path)))
    assert (spec.name, spec.kind, spec.cwd) == ("trend", "rest", None)
    assert spec.command == ("{python}", str(tmp_path / "trend.py"))
    assert spec.requirements is not None
    assert spec.requirements.python == ">=3.11"
    assert spec.requirements.dependencies == ("ivcap-ai-tool>=0.7", "numpy")
    assert spec.urn == specs.service_urn("trend")


def test_a_name_may_be_given_to_a_path_and_to_a_command(tmp_path: Path) -> None:
    assert specs.from_option(f"other={script(tmp_path)}").name == "other"
    spec = specs.from_option("mine=python 'my tool.py' --fast")
    assert (spec.command, spec.requirements) == (("python", "my tool.py", "--fast"), None)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("nowhere.py", "no such file"),
        ("=x", "both a name"),
        ("x=", "both a name"),
        ("x='", "cannot be read"),
    ],
)
def test_an_option_that_means_nothing_is_refused(option: str, said: str) -> None:
    with pytest.raises(BadSpec, match=said):
        specs.from_option(option)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("print(1)\n", "says nothing about the packages"),
        (SCRIPT + SCRIPT, "2 '# /// script' blocks"),
        ("# /// script\n# dependencies = [\n# ///\n", "not TOML"),
        ("# /// script\n# dependencies = 3\n# ///\n", "must be a list"),
    ],
)
def test_a_script_that_does_not_say_what_it_needs_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadSpec, match=said):
        specs.from_option(str(script(tmp_path, text)))


def test_a_project_names_its_service_file_and_poetry_ranges_are_understood(tmp_path: Path) -> None:
    script(tmp_path, "x = 1", "tool_service.py")
    script(tmp_path, "x = 2", "other.py")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.poetry]\nname = "gene"\n[tool.poetry.dependencies]\npython = "^3.10"\nivcap-ai-tool = "^0.7.10"\n'
        'numpy = {version = "~2.1", extras = ["a"]}\n[tool.poetry-plugin-ivcap]\nservice-file = "tool_service.py"\n'
    )
    spec = specs.from_option(str(tmp_path))
    assert (spec.name, spec.cwd, spec.command[1]) == ("gene", str(tmp_path), str(tmp_path / "tool_service.py"))
    assert spec.requirements is not None
    assert spec.requirements.python == ">=3.10,<4"
    assert spec.requirements.dependencies == ("ivcap-ai-tool>=0.7.10,<0.8", "numpy[a]>=2.1,<2.2")


def test_a_project_may_list_requirements(tmp_path: Path) -> None:
    script(tmp_path, "x = 1", "main.py")
    (tmp_path / "requirements.txt").write_text("# the library\nivcap-ai-tool  # any\n\nnumpy>2\n")
    spec = specs.from_option(str(tmp_path))
    assert spec.requirements is not None
    assert spec.requirements.dependencies == ("ivcap-ai-tool", "numpy>2")


@pytest.mark.parametrize(("text", "range_"), [("^1.2.3", ">=1.2.3,<2"), ("^0.0.3", ">=0.0.3,<0.0.4"), ("~1", ">=1,<2")])
def test_poetry_ranges_become_pep_440(text: str, range_: str) -> None:
    assert projects.poetry_range(text) == range_


def test_a_service_file_outside_the_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    script(tmp_path)
    (tmp_path / "p" / "pyproject.toml").write_text('[tool.poetry-plugin-ivcap]\nservice-file = "../trend.py"\n')
    with pytest.raises(BadSpec, match="not a file of this project"):
        specs.from_option(str(tmp_path / "p"))


def test_a_toml_file_describes_a_service_and_unknown_keys_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "fast.toml"
    path.write_text('command = "python run.py"\nkind = "batch"\ndeadline = 5\nenv = {A = "1"}\n')
    spec = specs.from_option(str(path))
    assert (spec.name, spec.kind, spec.deadline, spec.env) == ("fast", "batch", 5.0, {"A": "1"})
    assert spec.cwd == str(tmp_path)
    for text, said in [("comand = 'x'", "comand"), ("command = 'x'\ndeadline = -1", "deadline"), ("", "command")]:
        path.write_text(text)
        with pytest.raises(BadSpec, match=said):
            specs.from_toml(path)


def test_the_digest_changes_with_the_content_and_only_then(tmp_path: Path) -> None:
    path = script(tmp_path)
    first = specs.from_option(str(path))
    assert specs.from_option(str(path)).digest == first.digest == specs.refreshed(first).digest
    path.write_text(SCRIPT + "# more\n")
    assert specs.refreshed(first).digest != first.digest


def test_an_added_service_counts_until_its_file_changes(tmp_path: Path) -> None:
    base, path = tmp_path / "base", script(tmp_path)
    approvals.add(base, str(path))
    assert [spec.name for spec in specs.added(base)] == ["trend"]
    assert specs.added(tmp_path / "another base") == []
    path.write_text(SCRIPT + "import os\n")
    assert specs.added(base) == []
    assert "changed since it was added" in approvals.listed(base)[0].complaint
    with pytest.raises(BadSpec, match="changed since it was added"):
        specs.refreshed(approvals.listed(base)[0].spec)
    approvals.add(base, str(path))
    assert len(specs.added(base)) == 1
    assert approvals.remove(base, "trend")
    assert not approvals.remove(base, "trend")


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@given(name=words, command=st.lists(words, min_size=1, max_size=4), env=st.dictionaries(words, words, max_size=3))
def test_a_spec_survives_the_way_to_the_runner(name: str, command: list[str], env: dict[str, str]) -> None:
    needs = specs.EnvironmentSpec(">=3", ("a", "b"))
    spec = specs.ServiceSpec(specs.service_urn(name), name, tuple(command), env=env, requirements=needs)
    assert specs.from_json(json.loads(json.dumps(specs.to_json(spec)))) == spec


@pytest.mark.parametrize("value", [{}, {"urn": "x", "name": "y", "command": ["z"], "more": 1}, {"command": 3}])
def test_what_is_not_a_spec_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(BadSpec, match="not a service"):
        specs.from_json(value)


def test_a_file_that_is_no_python_is_refused_when_it_is_added(tmp_path: Path) -> None:
    broken = script(tmp_path, SCRIPT + "def run(:\n    pass\n")
    with pytest.raises(BadSpec, match=r"trend\.py:6: this is no Python: .*\n    def run\(:"):
        approvals.add(tmp_path, str(broken))
    assert approvals.listed(tmp_path) == []
    assert inspection.inspect(str(broken)).failure.startswith(f"{broken}:6: this is no Python")
    # What another Python runs is not ours to judge, and what is only doubtful is fit to run.
    approvals.add(tmp_path, str(script(tmp_path, (SCRIPT + "def run(:").replace(">=3.11", ">=3.99"))))
    approvals.add(tmp_path, str(script(tmp_path, SCRIPT + 'print("\\d")\n')))


@pytest.mark.parametrize(
    "text", ['command = "sh \'x"', "command = 5", "command = []", "command = [1]", "", "command = {}"]
)
def test_a_command_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(BadSpec, match=rf"^{path}: (command must be|the command cannot be read)"):
        specs.from_option(str(path))


def test_a_broken_file_of_a_directory_is_told_once_until_it_is_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    services = tmp_path / "services"
    services.mkdir()
    (services / "a.toml").write_text('path = "tool.py"\n')
    for _ in range(3):
        assert standing.trusted(tmp_path) == []
    assert caplog.text.count("a service is left out: ") == 1
    script(services, name="tool.py")
    (spec,) = standing.trusted(tmp_path)
    assert spec.name == "a"
    (services / "tool.py").unlink()
    (services / "a.toml").write_text("nonsense")
    assert standing.trusted(tmp_path) == standing.trusted(tmp_path) == []
    assert caplog.text.count("a service is left out: ") == 2

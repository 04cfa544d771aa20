"""Rules of the house that no linter knows."""

import ast
import re
import subprocess
import sys
import tomllib
from inspect import isclass
from pathlib import Path

import pytest

import eyeshot
from eyeshot import errors

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "eyeshot").rglob("*.py"))

FRAMEWORKS = {"jax", "keras", "onnx", "onnxruntime", "tensorflow", "timm", "torch", "torchvision"}
OPTIONAL = FRAMEWORKS | {"matplotlib", "pandas", "safetensors", "scipy", "skimage", "sympy"}
CORE = {"numpy", "pydantic", "rich", "typer", "yaml"}

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

# The rooms every other stands on, and the only packages from outside that each may import.
FOUNDATIONS = {
    "__init__": set(),
    "errors": set(),
    "geometry": {"numpy"},
    "relations": {"numpy"},
    "graph": {"numpy"},
    "cost": {"numpy"},
    "analyses": {"numpy"},
}


def imported_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running ``code``."""
    report = "import sys; sys.stderr.write(' '.join({name.partition('.')[0] for name in sys.modules}))"
    script = f"try:\n    {code}\nexcept SystemExit:\n    pass\n{report}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_import_loads_nothing_heavy():
    assert "numpy" in imported_by("import numpy"), "the probe itself sees nothing"
    assert not imported_by("import eyeshot") & (OPTIONAL | CORE)


@pytest.mark.parametrize("arguments", [["--help"], ["analyze", "--help"]])
def test_help_loads_no_framework(arguments):
    loaded = imported_by(f"import eyeshot.cli, sys; sys.argv = {['eyeshot', *arguments]}; eyeshot.cli.main()")
    assert "typer" in loaded
    assert not loaded & OPTIONAL


def test_public_names_resolve():
    assert eyeshot.__all__ == sorted(eyeshot.__all__, key=lambda name: (not name[0].isupper(), name))
    for name in eyeshot.__all__:
        assert getattr(eyeshot, name) is not None
        assert name in dir(eyeshot)
    assert not hasattr(eyeshot, "analyse")


def test_every_error_is_public():
    own = {name for name, value in vars(errors).items() if isclass(value) and issubclass(value, Exception)}
    public = {name for name in eyeshot.__all__ if name.endswith("Error")}
    assert own == public


def test_exit_codes_differ_and_are_in_the_drawn_tree():
    drawn = dict(re.findall(r"─ (\w+) .*exit (\d+)", errors.__doc__ or ""))
    true = {kind.__name__: str(kind.exit_code) for kind in errors.EyeshotError.__subclasses__()}
    assert drawn == true
    assert len(set(true.values())) == len(true)


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring: nobody should write less of that."""
    assert function.end_lineno is not None
    total = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is None:
        return total
    words = function.body[0]
    assert words.end_lineno is not None
    return total - (words.end_lineno - words.lineno + 1)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_files_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") < 400, "make a folder of it"
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, FUNCTIONS)]
    assert not {function.name: lines_of(function) for function in functions if lines_of(function) >= 50}


def outside_imports(path: Path) -> set[str]:
    """Packages that are neither ours nor Python's, imported anywhere in a file, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"eyeshot"}


@pytest.mark.parametrize("room", FOUNDATIONS)
def test_foundations_import_little(room):
    home = ROOT / "src" / "eyeshot" / room
    files = sorted(home.rglob("*.py")) if home.is_dir() else [home.with_suffix(".py")]
    assert files
    assert set().union(*map(outside_imports, files)) <= FOUNDATIONS[room]


def test_every_ignored_rule_has_a_reason():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    rules = tomllib.loads(text)["tool"]["ruff"]["lint"]
    ignored = [*rules["ignore"], *(code for codes in rules["per-file-ignores"].values() for code in codes)]
    reasoned = re.findall(r'^ +"([A-Z]+\d*)", +# \S', text, flags=re.MULTILINE)
    assert sorted(reasoned) == sorted(ignored)


def test_every_noqa_has_a_reason():
    bare = re.compile(r"# noqa(?!: [A-Z]+\d+(, ?[A-Z]+\d+)*\s+\S)")
    lines = {path.name: path.read_text(encoding="utf-8").splitlines() for path in SOURCES}
    assert not {(name, line) for name, text in lines.items() for line in text if bare.search(line)}


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of one language in a page of the repository."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def test_readme_example_runs():
    (example,) = blocks("README.md", "python")
    names: dict[str, object] = {}
    exec(example, names)
    assert isinstance(names["field"], eyeshot.Field)
    assert isinstance(names["box"], eyeshot.Box)


def test_readme_options_exist():
    lines = [line for block in blocks("README.md", "console") for line in block.splitlines()]
    asked = [re.findall(r"--[a-z-]+", line) for line in lines]
    named = [re.match(r"\$ eyeshot (\w+)", line) for line in lines]
    used = [(name[1], options) for name, options in zip(named, asked, strict=True) if name and options]
    start = [sys.executable, "-c", "from eyeshot.cli import main; main()"]
    assert len(used) >= 4
    for command, options in used:
        shown = subprocess.run([*start, command, "--help"], capture_output=True, text=True, check=True).stdout
        assert set(options) <= set(re.findall(r"--[a-z-]+", shown)), command


def test_readme_lists_the_extras():
    listed = re.findall(
        r'^\| `"eyeshot\[(\w+)\]"`', (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(listed) == sorted(project["optional-dependencies"])


def test_recipe_is_code_that_exists():
    (recipe,) = blocks("CONTRIBUTING.md", "python")
    ops = (ROOT / "src" / "eyeshot" / "frontends" / "torch" / "ops").glob("*.py")
    assert any(recipe in path.read_text(encoding="utf-8") for path in ops)


def test_make_targets_run_files_that_exist():
    scripts = re.findall(r"\$\(BIN\)/python (\S+\.py)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert len(scripts) >= 3
    assert [script for script in scripts if not (ROOT / script).is_file()] == []

"""The networks that the language's page shows."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "spec.md"


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language on the page."""
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


EXAMPLES = [block.strip() for block in blocks("spec")]

"""The examples of the API page: files that the tests run as they stand here."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "examples"
TOPICS: Final = {
    "ask_and_send": "Ask before a run, and say what it used",
    "usage_by_member": "Who used what",
    "give_credits": "Give credits, and ask for the balance",
}
LANGUAGES: Final = {"sh": "curl", "py": "Python", "mjs": "JavaScript", "go": "Go"}
HIGHLIGHTS: Final = {"sh": "bash", "py": "python", "mjs": "javascript", "go": "go"}
STARTS: Final = {"sh": "sh {}.sh", "py": "python {}.py", "mjs": "node {}.mjs", "go": "go run {}.go"}


def text(topic: str, language: str) -> str:
    """An example as it is run."""
    return (FOLDER / f"{topic}.{language}").read_text("utf-8")


def start(topic: str, language: str, address: str) -> str:
    """The command that runs an example against this server."""
    return f"RUNS_URL={address} RUNS_KEY=runs_… {STARTS[language].format(topic)}"

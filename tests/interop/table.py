"""The table of docs/interoperability.md: what each peer does with each artefact, as the tests found it."""

import os
import pathlib

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "interoperability.md"
BEGIN, END = "<!-- begin of the table that make test-interop checks -->\n", "<!-- end of the table -->"


class Table:
    def __init__(self, columns):
        self.columns = columns
        self.rows = {}

    def note(self, artefact, peer, cell):
        self.rows.setdefault(artefact, {})[peer] = cell

    def text(self):
        lines = [f"| | {' | '.join(self.columns)} |", "|---" * (len(self.columns) + 1) + "|"]
        lines += [
            f"| {artefact} | {' | '.join(cells.get(column, '') for column in self.columns)} |"
            for artefact, cells in self.rows.items()
        ]
        return "\n".join(lines) + "\n"

    def check(self):
        """The page has this very table; with QUBESEC_UPDATE_DOCS=1 it gets it."""
        page = PAGE.read_text()
        head, found = page.split(BEGIN)
        documented, tail = found.split(END)
        if os.environ.get("QUBESEC_UPDATE_DOCS") == "1":
            PAGE.write_text(head + BEGIN + self.text() + END + tail)
            return
        assert documented == self.text(), "peers changed; run QUBESEC_UPDATE_DOCS=1 make test-interop and look at the diff"

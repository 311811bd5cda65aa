"""What was measured: each figure as the median of its runs with the least and the most, as a table and as JSON."""

import json
import statistics
import sys


class Report:
    def __init__(self, machine):
        self.machine = machine
        self.runs = {}  # (section, who) -> figures of each undisturbed run
        self.left_out = []
        self.notes = []

    def note(self, text):
        self.notes.append(text)
        print(text, file=sys.stderr, flush=True)

    def add(self, section, who, figures, usage):
        """usage: machine.Usage of the run, or None where nothing else at work would matter."""
        if usage is not None and usage.disturbed:
            self.left_out.append(f"{section}: {who}: {usage.strange:.2f} cores were busy with something else")
            print(f"disturbed, left out: {self.left_out[-1]}", file=sys.stderr, flush=True)
            return
        self.runs.setdefault((section, who), []).append(figures)
        main = next(iter(figures.items()))
        print(f"{section}: {who}: {main[0]} {main[1]:.4g}", file=sys.stderr, flush=True)

    def rows(self):
        for (section, who), runs in self.runs.items():
            for what in dict.fromkeys(key for figures in runs for key in figures):
                values = [figures[what] for figures in runs if what in figures]
                yield section, who, what, statistics.median(values), min(values), max(values), len(values)

    def table(self):
        lines = [f"{'what':<42} {'median':>10} {'least':>10} {'most':>10} {'runs':>4}"]
        last = None
        for section, who, what, median, least, most, runs in self.rows():
            if (section, who) != last:
                lines.append(f"-- {section}: {who}")
                last = section, who
            lines.append(f"{what:<42} {shown(median):>10} {shown(least):>10} {shown(most):>10} {runs:>4}")
        lines += [f"note: {text}" for text in self.notes]
        lines += [f"left out: {text}" for text in self.left_out]
        lines.append("machine: " + ", ".join(f"{key} {value}" for key, value in self.machine.items()))
        return "\n".join(lines)

    def write(self, path):
        rows = [
            dict(zip(("section", "who", "what", "median", "least", "most", "runs"), row, strict=True)) for row in self.rows()
        ]
        text = json.dumps({"machine": self.machine, "figures": rows, "notes": self.notes, "leftOut": self.left_out}, indent=1)
        path.write_text(text + "\n")


def shown(value):
    return f"{value:.4g}" if value < 1000 else f"{value:.0f}"

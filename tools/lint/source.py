"""What the checks of this folder share: the files of the repository, and C text without comments and literals."""

import re
import subprocess

# Order matters: a comment sign inside a literal is none, and the other way round.
COMMENT_OR_LITERAL = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""",
    re.DOTALL,
)
C_FOLDERS = ("src", "tests", "bench", "tools")


def repository_files(root):
    """Every file that is, or would be, in the repository."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={root}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, capture_output=True, check=True,
    ).stdout  # fmt: skip
    paths = (root / name for name in sorted(set(listed.decode().split("\0"))) if name)
    return [path for path in paths if path.is_file()]


def c_files(root, *folders):
    return [
        path
        for path in repository_files(root)
        if path.suffix in (".c", ".h") and path.relative_to(root).parts[0] in (folders or C_FOLDERS)
    ]


def code_of(text):
    """C text with comments and literals blanked, so that only code is left to search."""
    return COMMENT_OR_LITERAL.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def code_lines(text):
    return enumerate(code_of(text).split("\n"), start=1)

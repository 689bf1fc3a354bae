"""`xdsi fsck`: run the check of the stores, and print what it finds."""

from rich.console import Console
from rich.table import Table

from database.engine import Database
from database.migrate import current
from profiles.composition import blobs_of
from profiles.settings import Settings
from registry.metadata.errors import Rejected
from repository.fsck import Report, check

CLEAN, MENDED, WRONG = 0, 1, 2
WORDS = {
    CLEAN: "[green]Clean[/]",
    MENDED: "[yellow]Mended: orphans are in quarantine[/]",
    WRONG: "[red]Something is wrong[/]",
}
REPAIRABLE = "`xdsi fsck --repair` moves aside what no row names."


def run(settings: Settings, *, repair: bool, grace: float) -> int:
    """Check the stores of `settings`; the exit status: 0 clean, 1 all mended, 2 something is wrong.

    `grace` is the age in seconds below which a file may be an upload under way.
    """
    console = Console(soft_wrap=True, highlight=False)
    try:
        if current(settings.database) is None:
            console.print(f"There is no database of this product in {settings.data}.", markup=False)
            return WRONG
        with console.status("Checking every blob") as status:
            report = check(
                Database(settings.database),
                blobs_of(settings),
                repair=repair,
                grace=grace,
                progress=lambda done: status.update(f"Checking every blob: {done} done"),
            )
    except Rejected as rejected:
        console.print(str(rejected), markup=False)
        return WRONG
    show(report, console)
    return report.status


def show(report: Report, console: Console) -> None:
    """Print the problems as a table, and one line of summary."""
    if report.problems:
        table = Table("what", "which", "why", "mended", box=None, padding=(0, 2, 0, 0))
        for problem in report.problems:
            table.add_row(problem.kind.value, problem.subject, problem.text, "yes" if problem.mended else "no")
        console.print(table)
    console.print(f"{WORDS[report.status]}: {report.rows} rows and {report.blobs} blobs checked.")
    if report.status == WRONG and not any(problem.mended for problem in report.problems):
        console.print(REPAIRABLE)

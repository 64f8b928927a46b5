"""The command `reshelve`: one subcommand a job."""

import typer

from jobs import classify, demo, train

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("train")(train.main)
app.command("classify")(classify.main)
app.command("demo")(demo.main)

if __name__ == "__main__":
    app()

"""The command `reshelve`: one subcommand a job."""

from jobs import classify, demo, train
from jobs.command import new_app

app = new_app()
app.command("train")(train.main)
app.command("classify")(classify.main)
app.command("demo")(demo.main)

if __name__ == "__main__":
    app()

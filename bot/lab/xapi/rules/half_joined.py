"""What a join that fails in its last steps leaves on the coordinator: a record that is good for nothing."""

from bot.lab.xapi.database import Database


def add_half_joined(database: Database, *, uuid: str, name: str, edition: str) -> str:
    """Makes the record of a host that joined only half-way, as a real server was seen to leave it."""
    metrics = database.create("host_metrics", live=True)
    return database.create(
        "host", uuid=uuid, name_label=name, hostname=name, edition=edition, enabled=False, metrics=metrics
    )

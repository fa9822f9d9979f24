"""The archive of backups: files that are verified while they come, kept with their proof, and listed by manifest."""

from bot.backups.intake import Intake, Received
from bot.backups.proof import ProofWriter
from bot.backups.verifier import Verifier

__all__ = ["Intake", "ProofWriter", "Received", "Verifier"]

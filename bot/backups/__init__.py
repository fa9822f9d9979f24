"""The archive of backups: files that are verified while they come, kept with their proof, and listed by manifest."""

from bot.backups.adopting import adopt
from bot.backups.archives import Archive
from bot.backups.checking import Look, check_all, check_sample
from bot.backups.folder import Folder
from bot.backups.intake import Intake, Received
from bot.backups.manifest import Manifest, make_id
from bot.backups.proof import ProofWriter
from bot.backups.pruning import Policy
from bot.backups.shelf import Shelf
from bot.backups.steward import Pruner
from bot.backups.target import Checker, Draft, Listing, Space, Stored, Target, Unfinished, Verified
from bot.backups.verifier import Verifier

__all__ = [
    "Archive",
    "Checker",
    "Draft",
    "Folder",
    "Intake",
    "Listing",
    "Look",
    "Manifest",
    "Policy",
    "ProofWriter",
    "Pruner",
    "Received",
    "Shelf",
    "Space",
    "Stored",
    "Target",
    "Unfinished",
    "Verified",
    "Verifier",
    "adopt",
    "check_all",
    "check_sample",
    "make_id",
]

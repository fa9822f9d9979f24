"""`python -m bot.cli`: how the lab starts its bot, with the very Python it runs on itself."""

from bot.cli import main

main(prog_name="xenbot")

"""xenbot: confirmed, approved and audited jobs on XenServer and XCP-ng pools, from Slack."""

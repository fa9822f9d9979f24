"""Who may do what, and what is kept secret: tables of API 2.21, read by `bot.lab.xapi.schema.model`."""

from typing import Final

TABLES: Final = {
    "auth": """
(bare)
get_group_membership(string) -> set string: read-only
get_subject_identifier(string) -> string: read-only
get_subject_information_from_identifier(string) -> map string string: read-only
""",
    "subject": """
(make pool-admin)
uuid: string
subject_identifier: string ctor
other_config: map string string ctor
roles: set ref role
add_to_roles(ref subject, ref role): pool-admin
get_permissions_name_label(ref subject) -> set string: read-only
remove_from_roles(ref subject, ref role): pool-admin
""",
    "role": """
uuid: string
name_label: string ctor
name_description: string ctor
subroles: set ref role ctor
is_internal: bool
get_by_permission(ref role) -> set ref role: read-only
get_by_permission_name_label(string) -> set ref role: read-only
get_permissions(ref role) -> set ref role: read-only
get_permissions_name_label(ref role) -> set string: read-only
""",
    "user": """
(write pool-admin, make pool-admin, unlisted)
uuid: string
short_name: string ctor must
fullname: string rw must
other_config: map string string rw
""",
    "secret": """
(read pool-operator, make pool-operator)
uuid: string
value: string rw must
other_config: map string string rw read:read-only
""",
    "Certificate": """
uuid: string
name: string
type: enum certificate_type = host
host: ref host ctor
not_before: datetime ctor
not_after: datetime ctor
fingerprint: string ctor
purpose: set enum certificate_purpose ctor
""",
    "Feature": """
uuid: string
name_label: string ctor
name_description: string ctor
enabled: bool
experimental: bool ctor
version: string ctor = 1.0
host: ref host
""",
}

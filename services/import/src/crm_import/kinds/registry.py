"""Every kind of import. A further one is a name, a file like `members.py`, its words in messages, and the call in
`chunks.clients` that writes its rows; tests say which of these is missing.
"""

from collections.abc import Mapping

from crm_import.kinds.activities import ACTIVITIES
from crm_import.kinds.contacts import CONTACTS
from crm_import.kinds.customers import CUSTOMERS
from crm_import.kinds.kind import Kind
from crm_import.kinds.members import MEMBERS

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (CUSTOMERS, CONTACTS, ACTIVITIES, MEMBERS)}

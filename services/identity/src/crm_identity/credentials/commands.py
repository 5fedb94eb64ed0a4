"""Keeping credentials."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from crm_identity.credentials.model import Credential


def keep_secret(session: Session, member_id: UUID, secret_hash: str, at: datetime, *, must_change: bool) -> None:
    """Let this secret, and no earlier one, be the member's."""
    credential = session.get(Credential, member_id)
    if credential is None:
        credential = Credential(member_id=member_id)
        session.add(credential)
    credential.secret_hash, credential.must_change, credential.changed_at = secret_hash, must_change, at

"""The tables. Migrations create them; `tests/test_migrations.py` proves that the two agree."""

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Text,
    false,
    func,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

# Without a convention PostgreSQL picks the names, and a later migration has to guess them.
NAMING_CONVENTION = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class Base(DeclarativeBase):
    """The registry of all tables."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {str: Text, int: BigInteger, datetime: DateTime(timezone=True)}  # noqa: RUF012


class Account(Base):
    """A person who can sign in."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Owned(Base):
    """A row that belongs to one account and is seen by nobody else."""

    __abstract__ = True

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Index | CheckConstraint, ...]:
        """Serve a page of one owner's newest rows from one index."""
        return (Index(f"ix_{cls.__tablename__}_owner_id_id", "owner_id", "id"),)


class Note(Owned):
    """A piece of text to keep."""

    __tablename__ = "notes"

    title: Mapped[str]
    body: Mapped[str]


class Task(Owned):
    """Something to do, perhaps by a day."""

    __tablename__ = "tasks"

    title: Mapped[str]
    done: Mapped[bool] = mapped_column(server_default=false())
    due_on: Mapped[date | None]


class Event(Owned):
    """A stretch of time in the calendar."""

    __tablename__ = "events"

    title: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Index | CheckConstraint, ...]:
        """Refuse an event that ends before it starts, whoever writes it."""
        return (*super().__table_args__, CheckConstraint("ends_at >= starts_at", name="ends_after_start"))

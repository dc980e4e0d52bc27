"""List the kinds of warehouses: the addresses, modules and extras of each."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class TargetKind:
    """A kind of warehouse.

    Attributes
    ----------
    example : str
        An example of its address.
    module : str
        The module of this package that opens it, with `open_target(address) -> Target`.
    extra : str
        The extra that it needs.
    in_store : bool
        Whether it can be in a bucket, so that `open_target` takes `storage_options`, too.
    """

    example: str
    module: str
    extra: str
    in_store: bool = False


_POSTGRES: Final = TargetKind("postgresql://user@host/database", "postgres_target", "postgres")
#: By the scheme of the address.
TARGET_KINDS: Final = {
    "duckdb": TargetKind("duckdb:///project.duckdb", "duckdb_target", "duckdb"),
    "ducklake": TargetKind("ducklake:project.ducklake", "ducklake_target", "duckdb"),
    "delta": TargetKind("delta:///data/tables", "delta_target", "delta", in_store=True),
    "postgresql": _POSTGRES,
    "postgres": _POSTGRES,
}
#: An address of each kind, for help texts and messages.
EXAMPLES: Final = ", ".join(dict.fromkeys(kind.example for kind in TARGET_KINDS.values()))

"""Kernel types as values: reading BTF, finding types and fields in it, writing it."""

from skep.btf.reader import Btf
from skep.btf.types import Field, Kind, Type
from skep.btf.writer import Builder

__all__ = ["Btf", "Builder", "Field", "Kind", "Type"]

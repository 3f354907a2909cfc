"""`FieldEncoder`: tables to CSR matrices that know their fields."""

from fastfm_c.encoding._column_types import Categorical, Hashed, MultiCategorical, Numeric
from fastfm_c.encoding._encoder import FieldEncoder

__all__ = ["Categorical", "FieldEncoder", "Hashed", "MultiCategorical", "Numeric"]

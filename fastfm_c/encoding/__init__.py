"""`FieldEncoder`: tables to CSR matrices that know their fields."""

from fastfm_c.encoding._column_types import Categorical, Date, Hashed, MultiCategorical, Numeric
from fastfm_c.encoding._encoder import FieldEncoder

__all__ = ["Categorical", "Date", "FieldEncoder", "Hashed", "MultiCategorical", "Numeric"]

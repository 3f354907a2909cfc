# Text: the part of core.pyx that reads and writes lines of numbers. Included there.


cdef class _TextRows:
    """Rows parsed from text, in arrays that grow."""
    cdef fastfm_text c
    cdef object num_threads
    cdef cnp.ndarray y, row_ends, lines, indices, data, fields, blocks
    cdef readonly int64_t n_rows, nnz, least, largest
    cdef int64_t parsed_row, parsed_value, largest_before

    def __cinit__(self, bint has_fields, dtype, int64_t first_index, int64_t n_features, num_threads):
        resolve_num_threads(num_threads)
        self.num_threads = num_threads
        self.c.has_fields, self.c.first_index, self.c.n_features = has_fields, first_index, n_features
        self.c.has_labels = -1
        self.least, self.largest = n_features, -1
        self.clear(dtype)

    @property
    def has_labels(self):
        """Whether the rows begin with labels. True while there are no rows."""
        return self.c.has_labels != 0

    cdef int clear(self, dtype) except -1:
        self.n_rows = self.nnz = 0
        self.y, self.row_ends = np.empty(0), np.empty(0, np.int64)
        self.indices, self.data = np.empty(0, np.int32), np.empty(0, dtype)
        self.lines, self.fields = np.empty(0, np.int64), np.empty(0, np.int32)
        self.c.data_type = type_of(self.data)
        return 0

    cdef int make_room(self) except -1:
        """For the counted rows and values; sets the pointers to where they go."""
        cdef int64_t n_rows = self.n_rows + self.c.all.n_rows, nnz = self.nnz + self.c.all.nnz
        for array, size in ((self.y, n_rows), (self.row_ends, n_rows), (self.indices, nnz), (self.data, nnz)):
            if len(array) < size:  # a quarter more, so that growing is seldom; the kernel moves no bytes for it
                array.resize(max(size, len(array) + len(array) // 4), refcheck=False)
        if len(self.lines) < self.c.all.n_rows:
            self.lines = np.empty(self.c.all.n_rows, np.int64)
        if self.c.has_fields and len(self.fields) < self.c.all.nnz:
            self.fields = np.empty(self.c.all.nnz, np.int32)
        self.c.y = <double *>cnp.PyArray_DATA(self.y) + self.n_rows
        self.c.row_ends = <int64_t *>cnp.PyArray_DATA(self.row_ends) + self.n_rows
        self.c.data = <char *>cnp.PyArray_DATA(self.data) + self.nnz * cnp.PyArray_ITEMSIZE(self.data)
        self.c.lines = <int64_t *>cnp.PyArray_DATA(self.lines)
        self.c.fields = <int32_t *>cnp.PyArray_DATA(self.fields)
        self.c.first_value = self.nnz
        self.point_to_indices()
        return 0

    cdef int point_to_indices(self) except -1:
        self.c.index_type = type_of(self.indices)
        self.c.indices = <char *>cnp.PyArray_DATA(self.indices) + self.nnz * cnp.PyArray_ITEMSIZE(self.indices)
        return 0

    def parse(self, cnp.ndarray buffer not None, int64_t n_bytes):
        """Append the rows of these bytes, whole lines. Returns how many lines, or (offset, what was expected
        there)."""
        if not 0 <= n_bytes <= len(buffer) or buffer.dtype != np.uint8 or not is_plain(buffer):
            raise ValueError(f"n_bytes is {n_bytes}, buffer has {len(buffer)}")
        cdef fastfm_status status
        cdef int n_threads = resolve_num_threads(self.num_threads)
        self.blocks = np.empty(fastfm_text_blocks(n_bytes) * sizeof(fastfm_text_block), np.uint8)
        self.c.bytes, self.c.n_bytes = <const char *>cnp.PyArray_DATA(buffer), n_bytes
        self.c.blocks = <fastfm_text_block *>cnp.PyArray_DATA(self.blocks)
        with nogil:
            status = fastfm_text_count(&self.c, n_threads)
        if status != FASTFM_OK:
            raise ValueError("the last line does not end")
        self.make_room()
        with nogil:
            status = fastfm_text_parse(&self.c, n_threads)
        if status == FASTFM_WIDE_INDEX:
            self.indices = self.indices.astype(np.int64)
            self.point_to_indices()
            with nogil:
                fastfm_text_count(&self.c, n_threads)
                status = fastfm_text_parse(&self.c, n_threads)
        if status == FASTFM_BAD_TEXT:
            return self.c.all.fault_at, self.c.all.expected.decode()
        self.parsed_row, self.parsed_value, self.largest_before = self.n_rows, self.nnz, self.largest
        self.n_rows += self.c.all.n_rows
        self.nnz += self.c.all.nnz
        self.least = min(self.least, self.c.all.least)
        self.largest = max(self.largest, self.c.all.largest)
        return self.c.all.n_lines

    def conflict(self, int64_t first_line, cnp.ndarray field_of not None, cnp.ndarray line_of not None):
        """None, or (line, place in that line, feature, field) of the first value parsed last whose feature
        has been in another field; notes the field and line of features that are new."""
        if not (is_plain(field_of) and is_plain(line_of) and type_of(field_of) == FASTFM_I32
                and type_of(line_of) == FASTFM_I64 and self.largest < min(len(field_of), len(line_of))):
            raise ValueError("field_of and line_of must be int32 and int64 and hold all features")
        cdef int64_t p
        cdef int32_t *fields = <int32_t *>cnp.PyArray_DATA(field_of)
        cdef int64_t *lines = <int64_t *>cnp.PyArray_DATA(line_of)
        with nogil:
            p = fastfm_text_conflict(&self.c, first_line, fields, lines)
        if p < 0:
            return None
        return self.place(first_line, p)

    def place(self, int64_t first_line, int64_t p):
        """(line, place in that line, feature, field) of a value parsed last; p counts these values."""
        row = np.searchsorted(self.row_ends[self.parsed_row:self.n_rows], p + self.parsed_value, side="right")
        begin = self.row_ends[self.parsed_row + row - 1] if self.parsed_row + row else 0
        return (first_line + int(self.lines[row]), int(p + self.parsed_value - begin),
                int(self.indices[p + self.parsed_value]), int(self.fields[p]))

    def keep(self, is_kept):
        """Drop those of the values parsed last for which `is_kept`, an array of bool, is False."""
        begin, end = self.parsed_value, self.nnz
        before = np.concatenate([[0], np.cumsum(is_kept)])
        ends = self.row_ends[self.parsed_row:self.n_rows]
        ends[:] = begin + before[ends - begin]
        self.nnz = begin + before[-1]
        for array in self.indices, self.data:
            array[begin:self.nnz] = array[begin:end][is_kept]
        if self.c.has_fields:
            self.fields[:self.nnz - begin] = self.fields[:end - begin][is_kept]
        self.c.all.nnz = self.nnz - begin
        self.largest = max(self.largest_before, int(self.indices[begin:self.nnz].max(initial=-1)))

    def last(self):
        """Features and fields of the values parsed last; the features can be replaced until the next call."""
        n = self.nnz - self.parsed_value
        return self.indices[self.parsed_value:self.nnz], self.fields[:n]

    def take(self, n_rows):
        """(indptr, indices, data, y) of the first n_rows rows as copies, which are then no longer here."""
        cdef int64_t rows = n_rows, nnz = self.row_ends[rows - 1] if rows else 0
        taken = (np.concatenate([[0], self.row_ends[:rows]]), self.indices[:nnz].copy(),
                 self.data[:nnz].copy(), self.y[:rows].copy())
        for array, begin, end in ((self.indices, nnz, self.nnz), (self.data, nnz, self.nnz),
                                  (self.y, rows, self.n_rows), (self.row_ends, rows, self.n_rows)):
            array[:end - begin] = array[begin:end].copy()
        self.n_rows, self.nnz = self.n_rows - rows, self.nnz - nnz
        self.row_ends[:self.n_rows] -= nnz
        return taken

    def forget(self):
        """Drop the rows; least and largest index stay."""
        self.n_rows = self.nnz = 0

    def arrays(self):
        """(indptr, indices, data, y) of all rows; this object is empty afterwards."""
        row_ends, indices, data, y = arrays = self.row_ends, self.indices, self.data, self.y
        sizes = self.n_rows, self.nnz, self.nnz, self.n_rows
        self.clear(data.dtype)
        for array, size in zip(arrays, sizes):
            array.resize(size, refcheck=False)
        return np.concatenate([[0], row_ends]), indices, data, y


def _text_of(X, y, fields, int64_t first_index):
    """The rows of X, sound arrays of `as_csr` with finite values, as pieces of text."""
    cdef Rows rows = Rows.__new__(Rows)
    if not rows.try_borrow(X[0], X[1], X[2], X[3]):
        raise AssertionError("X is not what as_csr returns")
    cdef cnp.ndarray y_array = y, fields_array = fields, piece = np.empty(0, np.uint8)
    cdef const double *y_at = <const double *>cnp.PyArray_DATA(y_array)
    cdef int32_t *fields_at = NULL if fields is None else <int32_t *>cnp.PyArray_DATA(fields_array)
    cdef int64_t begin = 0, end, room, n_bytes
    cdef char *out
    while begin < rows.csr.n_rows:
        limit = int(rows.indptr[begin]) + (1 << 14)
        end = int(np.searchsorted(rows.indptr, limit, side="right")) - 1
        end = min(max(end, begin + 1), begin + (1 << 14), rows.csr.n_rows)
        room = 32 * (end - begin) + 64 * int(rows.indptr[end] - rows.indptr[begin])
        if len(piece) < room:
            piece = np.empty(room, np.uint8)
        out = <char *>cnp.PyArray_DATA(piece)
        with nogil:
            n_bytes = fastfm_text_write(&rows.csr, begin, end, y_at, fields_at, first_index, out)
        yield out[:n_bytes]
        begin = end

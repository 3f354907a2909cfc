"""Scores of FM and FFM. `predict` calls the method at each SIMD level."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.levels import at_all_levels, predict
from helpers.make import changed, csr_of, make_csr, make_model
from helpers.oracles import assert_close, assert_scores, term_scale
from helpers.strategies import SEEDS, models, problems
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import FFM, FM


class Scores:
    """What the scores of both kinds of model promise.

    A subclass has `KIND`, its name; `WIDTHS`, numbers of factors that use each block of factors alone
    and with every other; `REFERENCE_ROWS`, lengths of rows; `LONGEST_ROWS`, the same with n_factors and
    n_fields; `make`, a model with the scores of the FM of these parameters; and `random`.
    """

    # ------------------------------------------------------------------------------ examples

    def test_two_features_by_hand(self, simd):
        model = self.make(0.25, [0.5, -1.0], np.array([[1.0, 0.0], [1.0, 1.0]]))
        # 0.25 + 0.5 * 2 - 1 * 3 + <(1, 0), (1, 1)> * 2 * 3
        np.testing.assert_array_equal(model.predict(sp.csr_array([[2.0, 3.0]])), [4.25])

    def test_three_features_by_hand(self, simd):
        model = self.make(1.0, [1.0, 10.0, 100.0], np.array([[1.0], [2.0], [3.0]]))
        rows = [[1, 1, 1], [1, 1, 0], [0, 1, 2], [0, 0, 5]]
        expected = [1 + 111 + 2 + 3 + 6, 1 + 11 + 2, 1 + 210 + 12, 1 + 500]
        np.testing.assert_array_equal(model.predict(sp.csr_array(np.array(rows, float))), expected)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("k", [1, 4, 7, 35, 70])
    def test_an_empty_row_scores_the_bias_and_one_value_has_no_pair(self, simd, k, dtype):
        model = self.make(0.5, [7, 2], np.full((2, k), 1000, dtype))
        X = sp.csr_array(np.array([[0, 0], [0, 3], [0, 0]], dtype))
        np.testing.assert_array_equal(model.predict(X), np.array([0.5, 6.5, 0.5], dtype))

    @pytest.mark.parametrize("n_outputs", [1, 3])
    def test_zero_rows_give_an_empty_result(self, simd, n_outputs):
        outputs, shape = ((), (0,)) if n_outputs == 1 else ((n_outputs,), (0, n_outputs))
        model = self.random(np.random.default_rng(0), outputs, 5, 4, "float32")
        assert model.predict(sp.csr_array((0, 5))).shape == shape

    def test_a_model_without_features_scores_the_bias(self, simd):
        model = self.make(2.5, [], np.zeros((0, 3)))
        assert model.predict(sp.csr_array((2, 0))).tolist() == [2.5, 2.5]

    def test_each_factor_counts_once(self, simd):
        for k in self.WIDTHS:
            V = np.zeros((2, k))
            V[0], V[1] = 1, 2.0 ** np.arange(k)
            score = self.make(0.0, [0, 0], V).predict(sp.csr_array([[1.0, 1.0]]))
            # Exact: the squares need more than 53 bits only from k = 27 on.
            expected = 2.0**k - 1
            np.testing.assert_allclose(score, [expected], rtol=0 if k < 26 else 4.0**k * 1e-15 / expected)

    def test_each_output_has_parameters_of_its_own(self, simd):
        model = self.make([1, 2], [[1, 0], [0, 1]], np.array([[[1.0], [1.0]], [[2.0], [2.0]]]))
        np.testing.assert_array_equal(model.predict(sp.csr_array([[1.0, 3.0]])), [[1 + 1 + 3, 2 + 3 + 12]])

    def test_huge_scores_stay_finite(self, simd):
        model = self.make(0.0, [0, 0], np.full((2, 5), 1e70))
        np.testing.assert_allclose(model.predict(sp.csr_array([[1e80, -1e80]])), [-5e300], rtol=1e-12)

    def test_an_explicit_zero_is_no_entry_even_for_parameters_that_are_not_finite(self, simd):
        model = self.make(0.5, [1, np.nan, np.inf], np.array([[1.0] * 9, [np.inf] * 9, [np.nan] * 9]))
        X = csr_of(np.array([0, 3]), np.array([1, 0, 2]), np.array([0.0, 2.0, -0.0]), (1, 3))
        assert model.predict(X).tolist() == [2.5]

    @pytest.mark.parametrize("n_values", [3, 40])
    def test_values_that_are_not_finite_spoil_their_row_alone(self, simd, n_values):
        rng = np.random.default_rng(0)
        X = make_csr(rng, [5, n_values, 3], 60)
        for k in (6, 20):
            model = self.random(rng, (), 60, k, "float64")
            before = model.predict(X)
            for value in (np.nan, np.inf, -np.inf):
                changed_X = csr_of(X.indptr, X.indices, X.data.copy(), X.shape)
                changed_X.data[6] = value
                after = model.predict(changed_X)
                assert not np.isfinite(after[1])
                np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])

    # ----------------------------------------------------------------------------- reference

    @pytest.mark.parametrize("index", ["int32", "int64"])
    @pytest.mark.parametrize("data", ["float32", "float64"])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_reference(self, dtype, data, index):
        """In rows of every form that the kernels have, next to each other."""
        rng = np.random.default_rng(1)
        X = make_csr(rng, self.REFERENCE_ROWS, 120, data, index)
        X.data[rng.random(len(X.data)) < 0.1] = 0
        for k in self.WIDTHS:
            outputs = (2,) if k in (3, 33) else ()
            assert_scores(self.random(rng, outputs, 120, k, dtype), X, what=f"k={k}")

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_reference_for_a_thousand_values_of_one_sign(self, dtype):
        """The longest rows that the accuracy is promised for; equal signs add up the rounding."""
        for lengths, k, n_fields in self.LONGEST_ROWS:
            rng, n = np.random.default_rng(2), lengths[0]
            X = make_csr(rng, lengths, n, dtype)
            X.data[:] = np.abs(X.data) + 0.1
            fields = () if n_fields is None else (n_fields, np.arange(n) % n_fields)
            model = make_model(rng, (), n, k, dtype, *fields)
            model.V, model.w = np.abs(model.V), np.abs(model.w)
            assert_scores(model, X, what=f"{n_fields} fields")

    # ---------------------------------------------------------------------------- properties

    @given(data=st.data())
    def test_any_matrix_and_model(self, data):
        """The same bits at every level, as in each of these."""
        assert_scores(*data.draw(problems(self.KIND)))

    @given(data=st.data(), seed=SEEDS)
    def test_the_order_of_rows_does_not_matter(self, data, seed):
        model, X = data.draw(problems(self.KIND, min_rows=1))
        order = np.random.default_rng(seed).permutation(X.shape[0])
        np.testing.assert_array_equal(predict(model, X[order]), predict(model, X)[order])

    @given(data=st.data())
    def test_the_order_of_columns_matters_to_rounding_only(self, data):
        model, X = data.draw(problems(self.KIND, repeats=False))
        X.sort_indices()
        assert_scores(model, X)

    @given(data=st.data())
    def test_repeated_columns_are_summed(self, data):
        """Each value in two halves: their sum is exact, and so are the bits."""
        model, X = data.draw(problems(self.KIND, repeats=False))
        halves = [np.tile(row, 2) for row in np.split(np.arange(len(X.data)), X.indptr[1:-1])]
        places = np.concatenate([[], *halves]).astype(int)
        twice = csr_of(2 * X.indptr, X.indices[places], X.data[places] / 2, X.shape)
        np.testing.assert_array_equal(predict(model, twice), predict(model, X))

    @given(data=st.data())
    def test_twice_the_values_and_half_the_parameters(self, data):
        model, X = data.draw(problems(self.KIND))
        half = changed(model, w=model.w / 2, V=model.V / 2)
        double = csr_of(X.indptr, X.indices, X.data * 2, X.shape)
        np.testing.assert_array_equal(predict(half, double), predict(model, X))

    @given(data=st.data())
    def test_zero_factors_add_nothing(self, data):
        model, X = data.draw(problems(self.KIND))
        wider = changed(model, V=np.concatenate([model.V, np.zeros_like(model.V)], axis=-1))
        assert_scores(model, X, predict(wider, X))

    @given(data=st.data(), cut=st.integers(0, 6))
    def test_a_batch_may_be_split(self, data, cut):
        model, X = data.draw(problems(self.KIND, min_rows=2))
        parts = [predict(model, part) for part in (X[:cut], X[cut:])]
        np.testing.assert_array_equal(np.concatenate(parts), predict(model, X))

    @given(data=st.data(), seed=SEEDS)
    def test_outputs_are_independent(self, data, seed):
        X = make_csr(np.random.default_rng(seed), [0, 3, 40], 50)
        model = data.draw(models(50, self.KIND, n_outputs=3))
        scores = predict(model, X)
        for c in range(3):
            alone = changed(model, w0=model.w0[c], w=model.w[c], V=model.V[c])
            np.testing.assert_array_equal(scores[:, c], predict(alone, X))

    @given(data=st.data())
    def test_row_by_row_gives_the_same_bits(self, data):
        model, X = data.draw(problems(self.KIND))
        for i, expected in enumerate(predict(model, X)):
            row = slice(X.indptr[i], X.indptr[i + 1])
            score = at_all_levels(lambda row=row: model.predict_row(X.indices[row], X.data[row]))
            np.testing.assert_array_equal(score, expected)


class TestFM(Scores):
    KIND = "FM"
    WIDTHS = (*range(1, 18), 32, 33, 64, 70)
    REFERENCE_ROWS = (0, 1, 2, 3, 31, 32, 33, 65, 100)
    LONGEST_ROWS = (([1000] * 4, 8, None),)

    def make(self, w0, w, V):
        return FM(w0, w, V)

    def random(self, rng, outputs, n_features, k, dtype):
        return make_model(rng, outputs, n_features, k, dtype)

    def test_sums_are_made_in_runs(self):
        """One float32 sum of a thousand equal terms would be off by 1e-5 of their total."""
        X = csr_of(np.array([0, 1000]), np.arange(1000), np.full(1000, 0.1, "float32"), (1, 1000))
        for w, V in [(0.1, 0), (0, 0.1)]:
            fm = FM(0.0, np.full(1000, w), np.full((1000, 4), V, "float32"))
            wide = FM(fm.w0, fm.w.astype(float), fm.V.astype(float))
            assert_close(fm.predict(X), wide.predict(X), 1e-6 * term_scale(fm, X))

    @given(problem=problems("FM"), n_fields=st.integers(1, 4))
    def test_a_field_aware_model_with_equal_vectors_is_the_same(self, problem, n_fields):
        model, X = problem
        fields = np.random.default_rng(0).integers(0, n_fields, model.n_features)
        V = np.repeat(model.V[..., None, :], n_fields, axis=-2)
        assert_scores(model, X, predict(FFM(model.w0, model.w, V, fields), X))


class TestFFM(Scores):
    """By pairs and by field sums: rows of up to 4 and of many values a field."""

    KIND = "FFM"
    WIDTHS = (*range(1, 18), 32, 33, 70)
    REFERENCE_ROWS = (0, 1, 2, 3, 5, 8, 33, 34, 65, 90)
    LONGEST_ROWS = (([1000], 1, 10), ([400], 1, 400))  # the reference makes a matrix of all pairs

    def make(self, w0, w, V):
        """Each feature has the same vector against each field."""
        return FFM(w0, w, np.repeat(V[..., None, :], 3, axis=-2), np.arange(np.shape(V)[-2]) % 2 * 2)

    def random(self, rng, outputs, n_features, k, dtype):
        return make_model(rng, outputs, n_features, k, dtype, 7, rng.integers(0, 7, n_features))

    def test_two_fields_by_hand(self, simd):
        V = np.array([[[9.0], [2.0]], [[3.0], [9.0]]])  # only the 2 and the 3 meet
        ffm = FFM(0.5, [1.0, 10.0], V, [0, 1])
        X = sp.csr_array([[1.0, 10.0], [1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
        np.testing.assert_array_equal(ffm.predict(X), [0.5 + 101 + 60, 1.5, 20.5, 0.5])

    def test_pairs_inside_a_field_are_part_of_the_sum(self, simd):
        ffm = FFM(0.0, [0, 0], np.array([[[2.0], [100.0]], [[3.0], [100.0]]]), [0, 0])
        np.testing.assert_array_equal(ffm.predict(sp.csr_array([[1.0, 5.0]])), [30.0])

    def test_six_values_in_two_fields_by_hand_take_the_field_sums(self, simd):
        """All V[i, b] = 1: each of the 15 pairs of ones counts 1, per factor."""
        X = sp.csr_array(np.ones((1, 6)))
        for k in self.WIDTHS:
            ffm = FFM(0.25, np.ones(6), np.ones((6, 2, k)), [0, 1, 0, 1, 0, 1])
            np.testing.assert_array_equal(ffm.predict(X), [0.25 + 6 + 15 * k])

    def test_which_vector_meets_which(self, simd):
        """V[i, b] = 10^i for b = 0 and 2 * 10^i for b = 1, so that each pair leaves its own digit."""
        V = 10.0 ** np.arange(3)[:, None, None] * np.array([[1.0], [2.0]])
        ffm = FFM(0.0, np.zeros(3), V, [0, 1, 1])
        # pair (0, 1): V[0, 1] V[1, 0] = 2 * 10; (0, 2): 2 * 100; (1, 2): V[1, 1] V[2, 1] = 20 * 200
        np.testing.assert_array_equal(ffm.predict(sp.csr_array([[1.0, 1.0, 1.0]])), [20 + 200 + 4000])

    @pytest.mark.parametrize("n_values", [2, 40])
    def test_explicit_zeros_among_values_and_in_a_field_of_their_own(self, simd, n_values):
        rng = np.random.default_rng(0)
        clean = make_model(rng, (), n_values + 3, 5, "float64", 3, np.arange(n_values + 3) % 2)
        X = make_csr(rng, [n_values], n_values, sort=True)
        fields = clean.fields.copy()
        fields[-1] = 2
        V, w = clean.V.copy(), clean.w.copy()
        V[-3:], w[-3:] = np.nan, np.inf
        indices = np.concatenate([[n_values + 2, n_values], X.indices, [n_values + 1]])
        data = np.concatenate([[0.0, -0.0], X.data, [0.0]])
        with_zeros = csr_of(np.array([0, len(data)]), indices, data, (1, n_values + 3))
        X.resize(1, n_values + 3)
        np.testing.assert_array_equal(FFM(clean.w0, w, V, fields).predict(with_zeros), clean.predict(X))

    @pytest.mark.parametrize("n_fields", [1, 2, 3, 10, 39, 60])
    def test_reference_from_one_field_to_a_field_for_each_value(self, n_fields):
        rng = np.random.default_rng(2)
        X = make_csr(rng, [1, 2, 3, 4, 5, 6, 10, 20, 39, 60], 60, "float32")
        assert_scores(make_model(rng, (), 60, 4, "float32", n_fields, np.arange(60) % n_fields), X)

    def test_reference_around_the_change_of_form(self):
        """z values in f fields: field sums where f (2 z + f) < z (z - 1)."""
        rng = np.random.default_rng(3)
        for f in range(1, 13):
            for z in range(2 * f, 3 * f + 3):
                model = make_model(rng, (), z, 5, "float64", f, np.arange(z) % f)
                assert_scores(model, make_csr(rng, [z], z), what=f"{z} values in {f} fields")

    @given(problem=problems("FFM"), seed=SEEDS)
    def test_the_names_of_fields_do_not_matter(self, problem, seed):
        model, X = problem
        name = np.random.default_rng(seed).permutation(model.n_fields)
        V = np.empty_like(model.V)
        V[..., name, :] = model.V
        renamed = FFM(model.w0, model.w, V, name[model.fields])
        np.testing.assert_array_equal(predict(renamed, X), predict(model, X))

    @given(problem=problems("FFM"))
    def test_fields_that_no_feature_has_do_not_matter(self, problem):
        model, X = problem
        wider = changed(model, V=np.concatenate([model.V, np.full_like(model.V, np.nan)], axis=-2))
        np.testing.assert_array_equal(predict(wider, X), predict(model, X))

    @given(problem=problems("FFM"))
    def test_one_field_is_a_factorization_machine(self, problem):
        model, X = problem
        fm = FM(model.w0, model.w, model.V[..., 0, :])
        ffm = FFM(model.w0, model.w, model.V[..., :1, :], np.zeros(model.n_features, int))
        assert_scores(fm, X, predict(ffm, X))

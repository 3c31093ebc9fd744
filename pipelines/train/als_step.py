"""Half a step of ALS by conjugate gradients, in compiled code: the same as `implicit`'s in half of the time.

`implicit` calls BLAS for every interaction, which takes longer than the few operations on its factors do.
"""

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares

from pipelines.run.threads import cores, spread
from serving.bundle.compiler import Array, summing

STEPS = 3  # of conjugate gradients, as in `implicit`: Takács, Pilászy, Tikk (2011)
CONVERGED = np.float32(1e-20)
CHUNKS = 8  # of rows for each core, which end at about the same time


class CompiledAls(AlternatingLeastSquares):  # type: ignore[misc] # implicit ships no types
    """`implicit`'s model, which fits the same factors."""

    @property
    def solver(self) -> object:
        """Returns the function that improves one side's factors."""
        return improve


def improve(
    confidence: sp.csr_matrix, own: Array, other: Array, regularization: float, num_threads: int = 0
) -> None:
    """Improves the factors `own`, (n, k) float32, in place; other: (m, k) float32, of the other side.

    confidence: (n, m) float32, above zero; a row without an entry gets zeros.
    """
    gram = other.T @ other + np.float32(regularization) * np.eye(own.shape[1], dtype=np.float32)
    # Rows take time for their entries and for the matrix.
    work = np.cumsum(np.diff(confidence.indptr) * 2 + own.shape[1])
    ends = np.searchsorted(work, np.linspace(0, work[-1], cores() * CHUNKS + 1)[1:])
    ends[-1] = len(work)
    parts = zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)
    arrays = confidence.indptr, confidence.indices, confidence.data, own, other, gram
    for _ in spread(lambda part: _improve_rows(*arrays, *part), parts):
        pass


@summing
def _improve_rows(
    indptr: Array, indices: Array, data: Array, own: Array, other: Array, gram: Array, start: int, stop: int
) -> None:
    k = own.shape[1]
    vector, residual = np.empty(k, np.float32), np.empty(k, np.float32)
    direction, image = np.empty(k, np.float32), np.empty(k, np.float32)
    for row in range(start, stop):
        first, last = indptr[row], indptr[row + 1]
        for i in range(k):
            vector[i] = own[row, i] if first < last else 0
        _multiply(gram, vector, residual)
        for i in range(k):
            residual[i] = -residual[i]
        for index in range(first, last):
            added = data[index] - np.float32(1)
            inner = _inner(other, indices[index], vector)
            _add(other, indices[index], added + np.float32(1) - added * inner, residual)
        for i in range(k):  # assigning to a slice would take a second more to compile
            direction[i] = residual[i]
        length = _dot(residual, residual)
        for _ in range(STEPS if first < last else 0):
            if length < CONVERGED:
                break
            _multiply(gram, direction, image)
            for index in range(first, last):
                added = data[index] - np.float32(1)
                _add(other, indices[index], added * _inner(other, indices[index], direction), image)
            size = length / _dot(direction, image)
            for i in range(k):
                vector[i] += size * direction[i]
                residual[i] -= size * image[i]
            before, length = length, _dot(residual, residual)
            for i in range(k):
                direction[i] = residual[i] + length / before * direction[i]
        for i in range(k):
            own[row, i] = vector[i]


@summing
def _multiply(matrix: Array, vector: Array, result: Array) -> None:
    for row in range(len(vector)):
        result[row] = _inner(matrix, row, vector)


@summing
def _inner(matrix: Array, row: int, vector: Array) -> np.float32:
    total = np.float32(0)
    for column in range(len(vector)):
        total += matrix[row, column] * vector[column]
    return total


@summing
def _dot(one: Array, other: Array) -> np.float32:
    total = np.float32(0)
    for column in range(len(one)):
        total += one[column] * other[column]
    return total


@summing
def _add(matrix: Array, row: int, factor: np.float32, result: Array) -> None:
    for column in range(len(result)):
        result[column] += factor * matrix[row, column]

"""The shape that the ranker's trees must have before they are walked.

The compiled walk checks nothing: a child or a feature out of range would read foreign memory.
"""

import math
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

LEAF = -1  # the children of a leaf
ROOT = 2**31 - 1  # the parent of a root
MAX_DEPTH = 64  # far above any that `train` grows; trees are walked level by level

Index = Annotated[int, Field(ge=LEAF, lt=2**31)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Flag = Annotated[int, Field(ge=0, le=1)]
Zero = Annotated[int, Field(ge=0, le=0)]
Digits = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]
Parameters = dict[str, str]
Nodes = npt.NDArray[np.int64]


class Strict(BaseModel):
    """An object of XGBoost's JSON; keys that no field names are dropped."""

    model_config = ConfigDict(strict=True, frozen=True)


class TreeSize(Strict):
    """The sizes that a tree states."""

    num_deleted: Literal["0"]
    num_feature: Digits
    num_nodes: Digits
    size_leaf_vector: Literal["0", "1"]


class Tree(Strict):
    """A tree of numerical splits: all lists have an entry for each node, and node 0 is the root."""

    base_weights: list[Number]
    default_left: list[Flag]
    id: int
    left_children: list[Index]
    loss_changes: list[Number]
    parents: list[Annotated[int, Field(ge=0, lt=2**31)]]
    right_children: list[Index]
    split_conditions: list[Number]
    split_indices: list[Annotated[int, Field(ge=0)]]
    split_type: list[Zero]
    sum_hessian: list[Number]
    tree_param: TreeSize
    categories: tuple[()] = ()
    categories_nodes: tuple[()] = ()
    categories_segments: tuple[()] = ()
    categories_sizes: tuple[()] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        nodes, features = int(self.tree_param.num_nodes), int(self.tree_param.num_feature)
        lists = [value for _, value in self if isinstance(value, list)]
        if not nodes or any(len(values) != nodes for values in lists):
            raise ValueError("a list has another length than the tree has nodes")
        if max(self.split_indices) >= features:
            raise ValueError("a split uses a feature out of range")
        if not self._ends(nodes):
            raise ValueError("a child is out of range, has two parents, or lies too deep")
        if self.parents != self._true_parents():
            raise ValueError("a node states another parent than it has")
        return self

    def _true_parents(self) -> list[int]:
        left, right = np.array(self.left_children), np.array(self.right_children)
        parents, inner = np.full(len(left), ROOT), np.flatnonzero(left != LEAF)
        parents[left[inner]] = parents[right[inner]] = inner
        return parents.tolist()

    def _ends(self, nodes: int) -> bool:
        """Returns whether every path from the root ends in a leaf, and meets no node twice."""
        left, right = np.array(self.left_children), np.array(self.right_children)
        if max(left.max(), right.max()) >= nodes or ((left == LEAF) != (right == LEAF)).any():
            return False
        level, seen = np.zeros(1, np.int64), 0
        for _ in range(MAX_DEPTH):
            seen += len(level)
            level = level[left[level] != LEAF]
            if seen > nodes or not len(level):
                break
            level = np.concatenate([left[level], right[level]])
        return seen <= nodes and not len(level)

    def levels(self) -> list[Nodes]:
        """Returns the nodes of each level, from the root down; the children of a node stand side by side."""
        left, right = np.array(self.left_children), np.array(self.right_children)
        levels = [np.zeros(1, np.int64)]
        while len(inner := levels[-1][left[levels[-1]] != LEAF]):
            levels.append(np.column_stack([left[inner], right[inner]]).ravel())
        return levels

    def children(self, order: Nodes) -> Nodes:
        """Returns the positions of left children in an order of nodes, (n,) int64; a leaf's is its own."""
        position, own = np.empty(len(self.left_children), np.int64), np.arange(len(order))
        position[order] = own
        left = np.array(self.left_children)[order]
        return np.where(left == LEAF, own, position[left])


class ForestSize(Strict):
    """The sizes that a forest states."""

    num_parallel_tree: Literal["1"] = "1"
    num_trees: Digits


class Trees(Strict):
    """All trees; each adds to the one score."""

    gbtree_model_param: ForestSize
    iteration_indptr: list[int]
    tree_info: list[Zero]
    trees: list[Tree]

    @model_validator(mode="after")
    def _check(self) -> Self:
        count = len(self.trees)
        sizes = (int(self.gbtree_model_param.num_trees), len(self.tree_info))
        if sizes != (count, count) or self.iteration_indptr != [*range(count + 1)]:
            raise ValueError("the forest states another number of trees")
        return self


class GradientBooster(Strict):
    """The gradient booster."""

    model: Trees
    name: Literal["gbtree"]


class LearnerSize(Strict):
    """The sizes that the learner states: one score, from `num_feature` features."""

    base_score: Annotated[str, Field(pattern=r"^\[?-?[0-9](\.[0-9]{1,17})?(E[+-]?[0-9]{1,2})?\]?$")]
    boost_from_average: Digits = "1"
    num_class: Literal["0"]
    num_feature: Digits
    num_target: Literal["1"] = "1"


class Learner(Strict):
    """The learner."""

    gradient_booster: GradientBooster
    learner_model_param: LearnerSize
    objective: dict[str, str | Parameters]
    attributes: Parameters = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        features = self.learner_model_param.num_feature
        if any(tree.tree_param.num_feature != features for tree in self.gradient_booster.model.trees):
            raise ValueError("a tree states another number of features")
        if not math.isfinite(self.base):
            raise ValueError("the score before the first tree isn't finite")
        return self

    @property
    def base(self) -> float:
        """The score before the first tree, which XGBoost states as a probability if it predicts one."""
        score = float(self.learner_model_param.base_score.strip("[]"))
        if self.objective.get("name") != "binary:logistic":
            return score
        return math.log(score / (1 - score)) if 0 < score < 1 else math.nan


class Forest(Strict):
    """XGBoost's JSON of a model of boosted trees."""

    learner: Learner
    version: list[int]

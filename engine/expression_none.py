"""What a condition tells about none: which paths are given when it holds, and which when it does not."""

from __future__ import annotations

from functools import reduce

from .expressions import Binary, Constant, In, IsNone, Node, Path, Unary, chain
from .frozen import frozen
from .model import Parts


@frozen
class Givens:
    """The paths that are known not to be none once a condition has answered."""

    true: frozenset[Parts] = frozenset()
    false: frozenset[Parts] = frozenset()


def givens(node: Node) -> Givens:
    """What a condition tells about none when it holds and when it does not."""
    match node:
        case IsNone(operand=Path(parts=parts)):
            return Givens(_upto(parts)) if node.negated else Givens(false=_upto(parts))
        case Unary(operator="not"):
            return _opposite(givens(node.operand))
        case Binary(operator="and"):
            return reduce(_both_hold, map(givens, chain(node)))
        case Binary(operator="or"):
            return _opposite(reduce(_both_hold, (_opposite(givens(each)) for each in chain(node))))
        case Binary(operator="==" | "!="):
            return _equality_givens(node)
        case In(operand=Path(parts=parts)) if all(_is_given_constant(option) for option in node.options):
            return Givens(false=_upto(parts)) if node.negated else Givens(_upto(parts))
    return Givens()


def _opposite(known: Givens) -> Givens:
    return Givens(known.false, known.true)


def _both_hold(left: Givens, right: Givens) -> Givens:
    """When `left and right` fails, either left failed, or left held and right failed."""
    return Givens(left.true | right.true, left.false & (left.true | right.false))


def _equality_givens(node: Binary) -> Givens:
    path, other = (node.left, node.right) if isinstance(node.left, Path) else (node.right, node.left)
    if not isinstance(path, Path) or not isinstance(other, Constant):
        return Givens()
    known = _upto(path.parts)
    same, different = (
        (Givens(false=known), Givens(known)) if other.value is None else (Givens(known), Givens(false=known))
    )
    return same if node.operator == "==" else different


def _upto(parts: Parts) -> frozenset[Parts]:
    """A path that is given has its references given too."""
    return frozenset(parts[:length] for length in range(1, len(parts) + 1))


def _is_given_constant(node: Node) -> bool:
    return isinstance(node, Constant) and node.value is not None

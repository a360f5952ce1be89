"""Write the tiles of a log anew from the leaves that the database holds."""

from itertools import islice
from pathlib import Path

from registry.database import Database
from registry.log.outbox import logged_leaves
from registry.log.tiles import Edge, LogDamaged, TileFolder

_AT_ONCE = 20_000


def rebuild_tiles(database: Database, folder: Path, size: int, root: bytes) -> None:
    """Write every tile of the tree of a size into a folder, durably; there is no checkpoint in it yet.

    Args:
        database: holds the leaves with their positions.
        folder: empty, or with a part of the same tiles.
        size: of the tree; what has a position behind it is left out.
        root: that the tree must have.

    Raises:
        LogDamaged: the leaves give another root.
    """
    tiles, edge = TileFolder(folder), Edge(0, (), b"")
    with database.reading() as session:
        left = islice(logged_leaves(session), size)
        while leaves := list(islice(left, _AT_ONCE)):
            longer, files = edge.extend(leaves)
            tiles.write(files)
            tiles.drop_partials(edge.size, longer.size)
            edge = longer
    if (edge.size, edge.root) != (size, root):
        raise LogDamaged(f"the database does not give the root of size {size}", f"数据库条目与规模 {size} 的根哈希不符")

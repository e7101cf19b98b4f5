"""Groups of planted clusters whose symmetries are known."""

import numpy as np

from lattice_ml.phases.groups import group_twins, orient_groups


def test_twins_are_joined_and_stray_images_do_not_join():
    # 0 and 1 are mirror images of one another; 2, 3 and 4 are arcs of one ring; 5 is its own image.
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(6), 100)
    images = np.repeat(cluster[:, None], 2, axis=1)
    images[:200, 0] = 1 - cluster[:200]
    images[200:500] = rng.integers(2, 5, (300, 2))
    images[:5, 1] = 5  # 2.5 % of the images of cluster 0 go astray
    group = group_twins(cluster, images)
    assert group[0] == group[1]
    assert group[2] == group[3] == group[4]
    assert len(np.unique(group)) == 3


def planted(arcs, generator):
    """G (0), L (1, 2), two rings of ``arcs`` arcs: clusters [n], of images [n, 3]: mirrored, moved, mirrored."""
    rings = (3 + np.arange(arcs), 3 + arcs + np.arange(arcs))
    cluster = np.repeat(np.arange(3 + 2 * arcs), 200)
    images = np.repeat(cluster[:, None], 3, axis=1)
    images[cluster == 1, ::2], images[cluster == 2, ::2] = 2, 1
    for own, other in (rings, rings[::-1]):
        inside = np.isin(cluster, own)
        images[inside, 1] = generator.choice(own, inside.sum())
        images[inside, ::2] = generator.choice(other, (inside.sum(), 2))
    return cluster, images


def test_five_oriented_groups_however_many_arcs_a_ring_has():
    for arcs in (1, 2, 3):
        cluster, images = planted(arcs, np.random.default_rng(0))
        images[:4, 0] = 1  # stray
        found = orient_groups(cluster, images)
        assert len(found.twin) == 5
        assert len(np.unique(found.of_cluster[3 : 3 + arcs])) == 1
        assert found.twin[found.of_cluster[0]] == found.of_cluster[0]
        assert found.twin[found.of_cluster[1]] == found.of_cluster[2]
        assert found.twin[found.of_cluster[3]] == found.of_cluster[3 + arcs]
        assert len(np.unique(group_twins(cluster, images))) == 3


def test_colours_are_one_group_by_permutations_one_at_a_time():
    # Ten ordered clusters, one for each colour, and the disordered one; nine cyclic permutations of the colours.
    cluster = np.repeat(np.arange(11), 90)
    symmetry = np.stack((np.arange(990) % 9 + 1, np.zeros(990, dtype=int)), axis=1)
    images = np.where(cluster[:, None] < 10, (cluster[:, None] + symmetry) % 10, 10)
    group = group_twins(cluster, images, symmetry)
    assert len(np.unique(group)) == 2
    assert len(np.unique(group_twins(cluster, images))) > 2  # pooled, each twin has a twentieth of the images
    assert len(orient_groups(cluster, images, symmetry).twin) == 2


def test_without_symmetries_translations_alone_join():
    cluster = np.repeat([0, 1, 2], 100)
    images = np.random.default_rng(0).integers(0, 2, (300, 2))
    images[cluster == 2] = 2
    none = np.zeros(images.shape, dtype=int)
    assert len(np.unique(group_twins(cluster, images, none))) == 2
    found = orient_groups(cluster, images, none).of_cluster
    assert found[0] == found[1] != found[2]


def test_one_mirrored_image_is_enough():
    # Two mirrors make a translation, so the arcs of a ring are joined by way of their twins.
    cluster, images = planted(3, np.random.default_rng(1))
    found = orient_groups(cluster, images[:, :1])
    assert len(found.twin) == 5
    assert len(np.unique(found.of_cluster[3:6])) == 1


def test_twins_that_share_a_cluster_are_one_oriented_group():
    cluster = np.repeat([0, 1], 100)
    assert len(orient_groups(cluster, cluster[:, None]).twin) == 2
    assert len(orient_groups(np.zeros(50, dtype=int), np.zeros((50, 2), dtype=int)).twin) == 1

"""Maps from many classes to few: their arithmetic, their files and their messages."""

import keras
import numpy as np
import pytest
from scipy.special import softmax
from support.label_spaces import answer, in_groups, plain

from distiller import bridges, models, objectives
from distiller.bridges.class_map import NEVER, grouped_logits
from distiller.errors import InputError

# tensorflow_datasets' `coarse_label` of each `label` of CIFAR-100, read from its images.
SUPERCLASS = [
    *(4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7),
    *(6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10),
    *(16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16),
    *(12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13),
]


SUPERCLASSES = [
    *("aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables"),
    *(
        "household_electrical_devices",
        "household_furniture",
        "insects",
        "large_carnivores",
        "large_man-made_outdoor_things",
    ),
    *(
        "large_natural_outdoor_scenes",
        "large_omnivores_and_herbivores",
        "medium_mammals",
        "non-insect_invertebrates",
        "people",
    ),
    *("reptiles", "small_mammals", "trees", "vehicles_1", "vehicles_2"),
]


class TestClassMap:
    GROUPS = ([4, 0], [2], [1, 5, 3])

    @pytest.mark.parametrize("scale", [3, 200])
    def test_is_the_log_sum_exp_of_each_group(self, scale):
        z = np.random.default_rng(1).uniform(-scale, scale, (50, 6)).astype("float32")
        z[0], z[1], z[2, ::2] = -200, 200, 200
        found = np.asarray(grouped_logits(z, self.GROUPS))
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, in_groups(z, self.GROUPS), rtol=1e-6, atol=2e-6)

    def test_softmax_is_the_sum_of_probabilities_renormalized(self):
        z = np.random.default_rng(1).normal(size=(20, 7)).astype("float32") * 4
        bridged = bridges.ClassMap({"a": [4, 0], "b": 2, "c": (1, 5)}).teacher(plain(7), 3)
        p = softmax(z.astype("float64"), axis=-1)
        sums = np.stack([p[:, [4, 0]].sum(-1), p[:, 2], p[:, [1, 5]].sum(-1)], -1)
        np.testing.assert_allclose(softmax(answer(bridged, z), axis=-1), sums / sums.sum(-1, keepdims=True), rtol=2e-5)

    def test_one_class_a_group_is_a_subset(self):
        z = np.random.default_rng(1).normal(size=(20, 7)).astype("float32") * 50
        found = [b.teacher(plain(7), 2) for b in (bridges.ClassMap([5, 1]), bridges.Subset([5, 1]))]
        np.testing.assert_allclose(answer(found[0], z), answer(found[1], z), rtol=1e-6)

    def test_none_of_these_takes_all_other_classes(self):
        z = np.random.default_rng(1).normal(size=(9, 6)).astype("float32")
        names = list("abcdef")
        bridge = bridges.ClassMap({"x": "c", "other": "f", "y": ["a", "d"]}, names, rest="other")
        expected = in_groups(z, [[2], [5, 1, 4], [0, 3]])
        np.testing.assert_allclose(answer(bridge.teacher(plain(6), 3), z), expected, atol=2e-6)
        assert bridge.relabel(np.array([0, 1, 2, 3, 4, 5, -1])).tolist() == [2, 1, 0, 2, 1, 1, -1]
        last = bridges.ClassMap({"x": "c", "y": ["a", "d"]}, names, rest="other")
        assert last.classes == ("x", "y", "other")
        np.testing.assert_allclose(
            answer(last.teacher(plain(6), 3), z), in_groups(z, [[2], [0, 3], [1, 4, 5]]), atol=2e-6
        )

    def test_a_missing_class_is_never_said_and_harms_no_objective(self):
        bridge = bridges.ClassMap({"x": [0, 1], "z": 2}, classes=["x", "y", "z"], allow_missing=True)
        z = np.array([[200.0, 1.0, -200.0], [0.0, 0.0, 0.0], [-200.0, -200.0, -200.0]], "float32")
        found = bridge.teacher(plain(3), 3)(z)
        np.testing.assert_array_equal(np.asarray(found)[:, 1], NEVER)
        np.testing.assert_array_equal(np.asarray(keras.ops.softmax(found / 90))[:, 1], 0)
        student, labels = np.eye(3, dtype="float32"), np.array([1, 1, 1])
        for objective in (objectives.Hinton(), objectives.Decoupled(), objectives.Dist(), objectives.TTM()):
            assert np.isfinite(np.asarray(objective(found, student, labels))).all()

    def test_classes_by_name_index_or_place_are_the_same(self):
        names, classes = ["a", "b", "c", "d"], ["x", "y"]
        expected = [[1, 3], [0]]
        for groups in (
            {"y": "a", "x": ["b", "d"]},
            {1: 0, 0: [1, 3]},
            [["b", 3], 0],
            {"x": {"b": 1}.keys() | {3}, 1: 0},
        ):
            found = bridges.ClassMap(groups, names, classes)
            assert [sorted(group) for group in found.groups] == expected
            assert tuple(found.classes) == tuple(classes)
        assert bridges.ClassMap({0: 2, 1: 3}).classes == (0, 1)

    def test_the_superclasses_of_cifar_100_are_those_of_its_labels(self):
        bridge = bridges.ClassMap.named("cifar100_coarse")
        assert list(bridge.classes) == SUPERCLASSES
        assert bridge.relabel(np.arange(100)).tolist() == SUPERCLASS
        # The packaged teacher's names are the data set's, in its order.
        assert list(bridge.names) == models.card("wide_cifar100")["classes"]
        backwards = bridges.ClassMap.named("cifar100_coarse", classes=SUPERCLASSES[::-1])
        assert (19 - backwards.relabel(np.arange(100))).tolist() == SUPERCLASS
        z = np.random.default_rng(1).normal(size=(5, 100)).astype("float32")
        expected = in_groups(z, [np.flatnonzero(np.array(SUPERCLASS) == place) for place in range(20)])
        np.testing.assert_allclose(answer(bridge.teacher(plain(100), 20), z), expected, atol=1e-5)

    def test_from_a_file(self, tmp_path):
        path = tmp_path / "map.yaml"
        path.write_text("cat: [tabby, siamese]\ndog: beagle\nbird:\n")
        names = ["beagle", "siamese", "tabby"]
        bridge = bridges.ClassMap.read(path, names, allow_missing=True)
        assert (bridge.classes, bridge.groups) == (("cat", "dog", "bird"), [[2, 1], [0], []])
        with pytest.raises(InputError, match=r"student's bird. Expected one for each class, or allow_missing"):
            bridges.ClassMap.read(path, names)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("- a\n- b\n", r"expected a mapping .* Received: \['a', 'b'\]"),
            ("", "expected a mapping .* Received: None"),
            ("a: [b", "cannot be read as YAML"),
            ("{}", "Expected a map .* Received: none"),
            ("a: !!python/object/apply:os.getcwd []", "cannot be read as YAML"),
            ("cat: 0\ndog: {beagle: 1}", "Received: {'beagle': 1}"),
            ("no: 0\nyes: 1", "classes of the student .* Received: False"),
            ("cat: 0\ndog: 1\ncat: 2", r"(?s)map\.yaml.*found the key 'cat' twice.*line 3"),
            ("cat: 0\ndog: 1\n'cat': [2]", "found the key 'cat' twice"),
            ("1: 0\n0: 1\n0x1: 2", "found the key 1 twice"),
            ("{cat: 0, ? [1, 2] : 1}", "cannot be read as YAML"),
            # Twenty bytes that would be gigabytes of classes, or of a message.
            (
                "1000000000: 1\n2: 2",
                "Expected classes of the student as an index below 1,048,576. Received: 1000000000",
            ),
            ("1000000: 1\n2: 2", r"student's 0, 1, 3, .*, 20 and 999,979 more\. Expected one for each class"),
            ("cat: 0\ndog: !!int soup", r"map\.yaml' cannot be read as YAML: what is no int: .* \(line 2, column 6\)"),
        ],
    )
    def test_refuses_a_file(self, tmp_path, text, message):
        path = tmp_path / "map.yaml"
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            bridges.ClassMap.read(path)

    @pytest.mark.parametrize(
        ("text", "classes", "message"),
        [
            ("0: zero\n1: one\n2: two", ["2", "1", "0"], r"map\.yaml': 0 is the index of a class of the student, and"),
            ("8: zero\n'9': one", ["8", "9"], "8 is the index .* Expected '8' in quotes"),
            ("a: [zero, 3]\nb: one", None, "3 is the index of a class of the teacher"),
            ("0: zero\n1: one", ["0", "1"], None),
            ("'1': zero\n'0': one", ["1", "0"], None),
            ("0: zero\n1: 1", ["a", "b"], None),
        ],
    )
    def test_a_number_is_not_the_name_of_another_class(self, tmp_path, text, classes, message):
        (tmp_path / "map.yaml").write_text(text)
        names = ["zero", "one", "two", "4", "3"]
        if message is None:
            bridge = bridges.ClassMap.read(tmp_path / "map.yaml", names, classes=classes)
            assert bridge.groups == [[0], [1]]
        else:
            with pytest.raises(InputError, match=message):
                bridges.ClassMap.read(tmp_path / "map.yaml", names, classes=classes)

    def test_a_file_may_repeat_a_class_that_it_merged(self, tmp_path):
        path = tmp_path / "map.yaml"
        path.write_text("cat: &cats [0, 1]\ndog: 2\n")
        assert bridges.ClassMap.read(path).groups == [[0, 1], [2]]
        path.write_text("<<: {cat: 0, dog: 2}\ncat: [0, 1]\n")
        assert sorted(bridges.ClassMap.read(path).groups) == [[0, 1], [2]]

    def test_refuses_a_missing_file_and_an_unknown_map(self, tmp_path):
        with pytest.raises(InputError, match=r"none\.yaml' does not exist"):
            bridges.ClassMap.read(tmp_path / "none.yaml")
        with pytest.raises(InputError, match=r"Unknown class map 'cifar100_corse'. Did you mean 'cifar100_coarse'"):
            bridges.ClassMap.named("cifar100_corse")

    @pytest.mark.parametrize(
        ("groups", "options", "message"),
        [
            ({"x": "cat", "y": "dog"}, {"classes": ["x", "y", "x"]}, "student's classes once. Received twice: 'x'"),
            ({}, {}, "Expected a map from classes of the student to classes of the teacher. Received: none"),
            ([], {}, "Received: none"),
            ({"x": "ct", "y": "dog"}, {}, "Unknown class of the teacher 'ct'. Did you mean 'cat'"),
            ({"x": "cat", "z": "dog"}, {"classes": ["x", "y"]}, "Unknown class of the student 'z'"),
            ({"x": 0, "y": 3}, {}, "index from 0 to 2. Received: 3"),
            ({"x": 0, "y": "dog"}, {"names": None}, "names of the teacher's classes, to find class 'dog' in"),
            ({"x": 0, 1: 2}, {}, "names of the student's classes, to find class 'x' in"),
            ({"x": ["cat", "dog"], "y": "cat"}, {}, "once in the map. Received twice: 'cat'"),
            ({"x": ["cat", 0], "y": "dog"}, {}, "once in the map. Received twice: 0"),
            ({"x": "cat", "y": 0}, {}, "class of the teacher once in the map. Received twice: 0"),
            ({"x": 0, "y": "cat"}, {}, "class of the teacher once in the map. Received twice: 'cat'"),
            ({"x": "cat", "y": "dog", 0: 2}, {"classes": ["x", "y"]}, "class of the student once .* twice: 0"),
            ({1: "cat", "x": "dog", "y": 2}, {"classes": ["x", "y"]}, "class of the student once .* twice: 'y'"),
            ({"x": ["cat", "dog"]}, {}, r"two or more classes of the student. Received: \['x'\]"),
            ({"x": "cat", "y": "dog"}, {"classes": ["x", "y", "z", "w"]}, "maps to the student's z, w. Expected one"),
            ({0: 0, 2: 1}, {}, "maps to the student's 1. Expected one"),
            ({"x": "cat", "y": []}, {"allow_missing": True}, "two or more of the student's. Received: 1"),
            ({"x": "cat", "y": "dog"}, {"rest": "z", "classes": ["x", "y"]}, "Unknown class of the student 'z'"),
        ],
    )
    def test_refuses(self, groups, options, message):
        with pytest.raises(InputError, match=message):
            bridges.ClassMap(groups, **{"names": ["cat", "dog", "owl"], **options})

    def test_refuses_none_of_these_where_nothing_is_left(self):
        with pytest.raises(InputError, match="maps to the student's other"):
            bridges.ClassMap({"x": 0, "y": 1}, rest="other").teacher(plain(2), 3)

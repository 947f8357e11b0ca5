"""Hooks of mkdocs: add the pages that are made from the code, and the navigation."""

import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))

import api_pages
import benchmark_pages
import command_pages
import objective_pages
import recipe_pages


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set the navigation, which lists generated pages too."""
    config.nav = [
        {"Start": "index.md"},
        {
            "Guides": [
                {"My photos to a phone": "guides/photos_to_phone.md"},
                {"Any teacher, any student": "guides/any_teacher.md"},
                {"Several labels, numbers, masks": "guides/other_tasks.md"},
                {"Sounds and sensors": "guides/sounds_and_sensors.md"},
                {"Folders of any size, random views": "guides/images_of_any_size.md"},
                {"Beyond one machine": "guides/beyond_one_machine.md"},
                {"CIFAR-100 to CIFAR-10": "guides/cifar100_to_cifar10.md"},
                {"Few labels": "guides/few_labels.md"},
                {"Quantization-aware training": "guides/quantization_aware.md"},
                {"Benchmark on Android": "guides/android.md"},
                {"Privacy, measured": "guides/privacy.md"},
                {"In a phone's browser": "guides/phone_browser.md"},
                {"Compare methods honestly": "guides/compare_methods.md"},
                {"Add an objective": "guides/new_objective.md"},
            ]
        },
        {"Objectives": [{"All objectives": "objectives/index.md"}, *_entries(objective_pages.navigation())]},
        {
            "Reference": [
                {"Commands": "reference/commands.md"},
                {"Recipe keys": "reference/recipes.md"},
                {"Public names": "reference/public.md"},
                *_entries(api_pages.navigation()),
            ]
        },
        {"Benchmarks": "benchmarks.md"},
        {
            "Coming from": [
                {"keras.distillation": "coming_from/keras_distillation.md"},
                {"tfmot": "coming_from/tfmot.md"},
                {"torchdistill, RepDistiller": "coming_from/torchdistill.md"},
                {"TFLite Model Maker": "coming_from/model_maker.md"},
            ]
        },
        {"FAQ": "faq.md"},
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and the figures of the benchmarks."""
    makers = (command_pages, recipe_pages, objective_pages, api_pages, benchmark_pages)
    for path, content in (page for maker in makers for page in maker.pages()):
        files.append(File.generated(config, path, content=content))
    return files


def _entries(pages: list[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{title: path} for title, path in pages]

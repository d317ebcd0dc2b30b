"""Our metafile is one that MMAction2 would take: its schema as model-index reads it and its own files keep it."""

import json
import re
from pathlib import Path
from statistics import mean

import mmaction
import pytest
import yaml
from mmengine.config import Config

from mmaction_multigrid import apply_multigrid

from .conftest import ROOT

THEIRS = Path(mmaction.__file__).parent / '.mim'
RUNS = ROOT / 'docs' / 'results' / 'runs'
# {algorithm}_[{pre-training}-]{module}_{GPUs}xb{batch}-{clip}[-{schedule}]-{epochs}e_{data}-{modality}
NAME = re.compile(r'[a-z0-9]+[a-z0-9-]*(_[a-zA-Z0-9-]+)?_\d+xb\d+-[a-z0-9-]*\d+e_[a-z0-9-]+-(rgb|flow)')


def load(root):
    """Collections and models of all metafiles that a model-index.yml imports."""
    collections, models = [], []
    for path in yaml.safe_load((root / 'model-index.yml').read_text())['Import']:
        content = yaml.safe_load((root / path).read_text())
        assert set(content) == {'Collections', 'Models'}
        collections += content['Collections']
        models += content['Models']
    return collections, models


COLLECTIONS, MODELS = load(ROOT)
ids = [model['Name'] for model in MODELS]


def test_the_citation_is_of_the_same_paper():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    paper, = citation['references']
    assert dict(URL=paper['url'], Title=paper['title']) == COLLECTIONS[0]['Paper']
    assert 'version' not in citation  # it is in one place


def test_every_key_is_one_of_theirs():
    _, theirs = load(THEIRS)
    for part in (lambda model: model, lambda model: model['Metadata'], lambda model: model['Results'][0]):
        known = set().union(*(part(model) for model in theirs if isinstance(model.get('Results'), list)))
        for model in MODELS:
            assert set(part(model)) <= known, model['Name']
    tasks = {result['Task'] for model in theirs if isinstance(model.get('Results'), list) for result in model['Results']}
    assert {result['Task'] for model in MODELS for result in model['Results']} <= tasks


@pytest.mark.parametrize('model', MODELS, ids=ids)
def test_model(model):
    assert {'Name', 'Config', 'In Collection', 'Metadata', 'Modality', 'Results'} <= set(model)
    assert model['In Collection'] in [collection['Name'] for collection in COLLECTIONS]
    assert (ROOT / model['Config']).is_file()
    assert Path(model['Config']).stem == model['Name']
    assert NAME.fullmatch(model['Name'])
    types = {'Batch Size': int, 'Epochs': int}
    for key, value in model['Metadata'].items():
        assert isinstance(value, types.get(key, str)), key
        assert value not in ('', 'NULL'), key


@pytest.mark.parametrize('model', MODELS, ids=ids)
def test_model_is_its_config(model):
    cfg = apply_multigrid(Config.fromfile(ROOT / model['Config']))
    assert model['Metadata']['Epochs'] == cfg.train_cfg.max_epochs
    assert model['Metadata']['Batch Size'] == cfg.train_dataloader.batch_size


@pytest.mark.parametrize('model', [model for model in MODELS if 'moving-digits16' in model['Name']],
                         ids=lambda model: model['Name'])
def test_results_are_those_of_the_study(model):
    kind = 'i3d-nl' if '-nl-' in model['Name'] else model['Name'].split('-')[0]
    variant = 'multigrid' if 'multigrid' in model['Name'] else 'baseline'
    records = [json.loads(path.read_text()) for path in RUNS.glob(f'{kind}_digits_{variant}_seed*.json')]
    top1 = mean(record['points'][-1]['top1'] for record in records if record['finished'])
    assert model['Results'][0]['Metrics']['Top 1 Accuracy'] == pytest.approx(top1, abs=0.006)


@pytest.mark.parametrize('path', sorted((ROOT / 'configs').rglob('*-rgb.py')), ids=lambda path: path.stem)
def test_config_names_follow_their_rule(path):
    assert NAME.fullmatch(path.stem)

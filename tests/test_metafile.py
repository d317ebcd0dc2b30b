"""Compare our metafile with MMAction2's, the configs and the study."""

import json
import re
from pathlib import Path
from statistics import mean

import pytest
import yaml
from mmaction_multigrid import apply_multigrid
from mmengine.config import Config

import mmaction
from .conftest import ROOT

# {algorithm}_[{pre-training}-]{module}_{GPUs}xb{batch}-{clip}[-{schedule}]-
# {epochs}e_{data}-{modality}
NAME = re.compile(r'[a-z0-9]+[a-z0-9-]*(_[a-zA-Z0-9-]+)?_\d+xb\d+-[a-z0-9-]*'
                  r'\d+e_[a-z0-9-]+-(rgb|flow)')


def load(root, kind):
    """Return the entries of all metafiles that a model-index.yml imports."""
    index = yaml.safe_load((root / 'model-index.yml').read_text())
    return [
        entry for path in index['Import']
        for entry in yaml.safe_load((root / path).read_text())[kind]
    ]


MODELS = load(ROOT, 'Models')
RECORDS = [
    json.loads(line) for data in ('digits', 'utd')
    for line in (ROOT / f'docs/results/{data}.jsonl').read_text().splitlines()
]


def test_the_citation_is_of_the_same_paper():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    paper, = citation['references']
    collection, = load(ROOT, 'Collections')
    assert dict(URL=paper['url'], Title=paper['title']) == collection['Paper']
    assert 'version' not in citation  # it is in one place
    assert {model['In Collection'] for model in MODELS} == {collection['Name']}


def test_every_key_is_one_of_theirs():
    theirs = [
        model
        for model in load(Path(mmaction.__file__).parent / '.mim', 'Models')
        if isinstance(model.get('Results'), list)
    ]
    for part in (lambda model: model, lambda model: model['Metadata'],
                 lambda model: model['Results'][0],
                 lambda model: [model['Results'][0]['Task']]):
        known = set().union(*map(part, theirs))
        assert set().union(*map(part, MODELS)) <= known


@pytest.mark.parametrize('model', MODELS, ids=lambda model: model['Name'])
def test_model_is_its_config(model):
    assert {'Config', 'In Collection', 'Metadata', 'Modality'} <= set(model)
    assert Path(model['Config']).stem == model['Name']
    cfg = apply_multigrid(Config.fromfile(ROOT / model['Config']))
    data = model['Metadata']
    assert data['Epochs'] == cfg.train_cfg.max_epochs
    assert data['Batch Size'] == cfg.train_dataloader.batch_size
    assert not {'', 'NULL', None} & set(map(str, data.values()))
    kind, variant = model['Name'].split('-')[0], 'baseline'
    if '-nl-' in model['Name']:
        kind = 'i3d-nl'
    if 'multigrid' in model['Name']:
        variant = 'multigrid'
    top1 = mean(record['points'][-1]['top1'] for record in RECORDS
                if (record['model'], record['variant'],
                    record['conditions']) == (kind, variant, {}))
    found = model['Results'][0]['Metrics']['Top 1 Accuracy']
    assert found == pytest.approx(top1, abs=0.006)


def test_config_names_follow_their_rule():
    for path in (ROOT / 'configs').rglob('*-rgb.py'):
        assert NAME.fullmatch(path.stem), path

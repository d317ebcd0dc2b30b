"""What the exports of ``export_upstream.py`` are made of; upstream/*.diff has what is changed in these files."""

# For MMAction2. The grid store, forecasts, the commands, and what mends the installed stack stay here.
PACKAGE = ('schedule', 'models', 'survival', 'config', 'datasets', 'engine')
LEFT_OUT = ('engine/runner.py', 'engine/store_command.py', 'models/bf16.py', 'datasets/copies.py',
            'survival/videos.py', 'survival/checkpoint_loading.py')
TESTS = ('__init__.py', 'conftest.py', 'toy.py', 'transformers.py', 'reference/*.json', 'schedule/*.py', 'models/*.py',
         'datasets/__init__.py', 'datasets/test_batch_sampler.py', 'datasets/test_dataset.py', 'datasets/test_rules.py',
         'datasets/test_transform.py', 'config/__init__.py', 'config/test_apply.py', 'config/test_completed.py',
         'engine/__init__.py', 'engine/test_parts.py', 'engine/test_training.py', 'engine/test_start_report.py',
         'survival/__init__.py', 'survival/test_pieces.py', 'survival/test_sending.py', 'survival/test_batches.py')
EXPLICIT = 'slowfast/slowfast_r50-multigrid-explicit_8xb8-8x8x1-steplr-358e_kinetics400-rgb.py'
# Baseline and multigrid, which are written in the explicit form.
PAIRS = tuple((f'{kind}_1xb8-16x1x1-steplr-4e_moving-digits16-rgb.py',
               f'{kind}-multigrid_1xb8-16x1x1-steplr-6e_moving-digits16-rgb.py')
              for kind in ('slowfast/slowfast-tiny', 'i3d/i3d-tiny', 'i3d/i3d-tiny-nl-dot-product'))
BASES = ('datasets/moving_digits16.py', 'models/i3d_tiny.py', 'models/slowfast_tiny.py', 'schedules/sgd_tiny_4e.py')

# For mmengine: a file here, and its place there.
MMENGINE = {
    'mmaction_multigrid/models/precise_bn.py': 'mmengine/model/precise_bn.py',
    'mmaction_multigrid/survival/checkpoint_backend.py': 'mmengine/fileio/backends/safe_local_backend.py',
    'tests/models/test_precise_bn.py': 'tests/test_model/test_precise_bn.py',
    'tests/survival/test_checkpoint_backend.py': 'tests/test_fileio/test_backends/test_safe_local_backend.py',
}

# Functions and assignments that go. Tests by hypothesis, which neither requires, go by themselves.
NAMES = {
    'multigrid/schedule/settings.py': ['_check_folder'],
    'multigrid/datasets/missing.py': ['_warn_of_no_count'],
    'multigrid/schedule/waiting.py': ['WORTH_A_STORE'],
    'tests/conftest.py': ['SHARED', 'shared_data', 'built', 'installed'],
    'tests/config/test_apply.py': ['test_the_runner_is_the_stock_one_on_the_resolved_config'],
    'tests/engine/test_training.py': ['test_runner_type_and_resolved_config_train_the_same'],
    'mmengine/fileio/backends/safe_local_backend.py': ['is_whole'],
    'tests/test_model/test_precise_bn.py': ['test_sub_batch_norm_layers_too'],
    'tests/test_fileio/test_backends/test_safe_local_backend.py': ['test_a_run_whose_checkpoints_have_one_name'],
}

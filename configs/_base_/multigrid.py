custom_imports = dict(
    imports=['mmaction_multigrid'], allow_failed_imports=False)
runner_type = 'MultigridRunner'
# the paper's default: long and short cycle, 1.5x the epochs
multigrid = dict()

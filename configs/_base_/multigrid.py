custom_imports = dict(imports=['mmaction_multigrid'], allow_failed_imports=False)
runner_type = 'MultigridRunner'
multigrid = dict()  # the paper's default: long and short cycle, 1.5x the epochs

.PHONY: proto
PY := .venv/bin/python
PROTOS := $(shell find proto -name '*.proto')

proto: ## Regenerate libs/contracts from proto/
	@rm -rf libs/contracts/src/crm/*/ && mkdir -p libs/contracts/src/crm
	@$(PY) -m grpc_tools.protoc -Iproto --python_out=libs/contracts/src --grpc_python_out=libs/contracts/src \
	  --plugin=protoc-gen-mypy=.venv/bin/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=.venv/bin/protoc-gen-mypy_grpc \
	  --mypy_out=quiet:libs/contracts/src --mypy_grpc_out=quiet:libs/contracts/src $(PROTOS)

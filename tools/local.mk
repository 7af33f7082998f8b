include tools/client/local.mk

# The generator of the demonstration's logs: a program of its own, without the project's libraries.
MAKE_LOGS := $(B)/make_logs
$(MAKE_LOGS): $(B)/tests/support/make_logs.o
	$(Q)$(CC) $(LDFLAGS) -o $@ $<

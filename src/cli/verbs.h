// The verbs of the command line, one file each. Each takes its arguments, NULL-terminated, and returns the
// exit status: 0 done, 1 failed, 2 wrongly called.
#pragma once

int verb_check(char *const *arguments);
int verb_operator(char *const *arguments);
int verb_render(char *const *arguments);
int verb_renew(char *const *arguments);
int verb_version(char *const *arguments);

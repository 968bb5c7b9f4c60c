/* One value of a configuration file, from its text to what the program uses. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "certsync/conf.h"

/*
 * Store ${text} as ${setting}'s type wants it at ${values} + ${setting}->offset (texts are freed by
 * conf_clear). NULL on success, otherwise what the value should have been ("a port number from 1 to
 * 65535").
 */
const char *conf_value_store(const struct conf_setting *setting, const char *text, void *values);

/* Is the value at ${setting}'s place a text, which has to be freed? */
bool conf_value_is_text(enum conf_type type);

#endif

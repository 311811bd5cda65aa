#include "engine/foreign_field.h"

#include <string.h>

static const struct foreign_field none[] = {{.name = nullptr}};

void foreign_fields_refuse(struct spec_reader *reader, const struct foreign_field *fields) {
    for (const struct foreign_field *field = fields == nullptr ? none : fields; field->name != nullptr;
         field++) {
        if (spec_value(reader, field->name) != nullptr) {
            spec_field_error(reader, "%s: is not a field here: %s", field->name, field->advice);
        }
    }
}

bool foreign_fields_have(const struct foreign_field *fields, const char *name) {
    const struct foreign_field *field = fields == nullptr ? none : fields;
    while (field->name != nullptr && strcmp(field->name, name) != 0) {
        field++;
    }
    return field->name != nullptr;
}

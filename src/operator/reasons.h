// The reason of the Event about the operator's own ConfigMap.
#pragma once

#define REASON_INVALID_SETTINGS "InvalidSettings"

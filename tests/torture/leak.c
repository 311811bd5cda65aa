// Leaks a block of the program's heap, which the leak check must report.
#include "base/memory.h"

int main(void) {
    char *volatile block = memory_copy_text("nobody frees this");
    block = nullptr;
    return block != nullptr;
}

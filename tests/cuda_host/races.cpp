// A race detector for kernels without barriers: exact for what a launch touches, whatever the order of its threads.
//
// In a launch nothing orders two threads. So they race if both touch a byte, one of them writes it, and not both do so
// by atomics. g++ -fsanitize=thread reports every access of the kernel by the calls below; ThreadSanitizer's own
// runtime is not linked, because it would take the serial threads of the shim for one thread that never races itself.
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

enum Access { READ, WRITE, ATOMIC };
const char* const names[] = {"reads", "writes", "atomically changes"};

struct Threads {  // the first two that accessed a byte in one way: enough to tell whether another thread did
    unsigned first = 0, second = 0;
    int known = 0;

    void add(unsigned thread) {
        if (known == 0) first = thread;
        if (known == 1 && thread != first) second = thread;
        known += known == 0 || (known == 1 && thread != first);
    }
    bool other_than(unsigned thread) const { return known == 2 || (known == 1 && first != thread); }
    unsigned other(unsigned thread) const { return first != thread ? first : second; }
};

struct Byte {
    Threads by[3];
};

std::vector<std::pair<uintptr_t, uintptr_t>> arrays;
std::unordered_map<uintptr_t, Byte> bytes;
unsigned thread;
std::string race;

void accessed(void* pointer, uintptr_t size, Access access) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
    for (size_t n = 0; n < arrays.size() && race.empty(); ++n) {
        const auto [begin, end] = arrays[n];
        if (address < begin || address >= end) continue;
        for (uintptr_t at = address; at < address + size; ++at) {
            Byte& byte = bytes[at];
            for (const Access other : {READ, WRITE, ATOMIC}) {
                if (other == access && access != WRITE) continue;
                if (!byte.by[other].other_than(thread)) continue;
                race = "thread " + std::to_string(thread) + " " + names[access] + " and thread " +
                       std::to_string(byte.by[other].other(thread)) + " " + names[other] + " byte " +
                       std::to_string(at - begin) + " of writable array " + std::to_string(n);
                return;
            }
            byte.by[access].add(thread);
        }
    }
}

}  // namespace

extern "C" {

void races_watch(void* begin, uintptr_t size) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(begin);
    arrays.emplace_back(address, address + size);
}
void races_begin_thread(unsigned number) { thread = number; }
// What was found since the last call, or nothing; forgets the arrays.
const char* races_end() {
    static std::string found;
    found = std::exchange(race, "");
    arrays.clear();
    bytes.clear();
    return found.c_str();
}

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit(void*) {}
void __tsan_read_range(void* p, uintptr_t size) { accessed(p, size, READ); }
void __tsan_write_range(void* p, uintptr_t size) { accessed(p, size, WRITE); }
#define PLAIN(SIZE)                                                         \
    void __tsan_read##SIZE(void* p) { accessed(p, SIZE, READ); }             \
    void __tsan_write##SIZE(void* p) { accessed(p, SIZE, WRITE); }           \
    void __tsan_unaligned_read##SIZE(void* p) { accessed(p, SIZE, READ); }   \
    void __tsan_unaligned_write##SIZE(void* p) { accessed(p, SIZE, WRITE); }
PLAIN(1) PLAIN(2) PLAIN(4) PLAIN(8) PLAIN(16)

#define CHANGE(BITS, NAME)                                                                \
    uint##BITS##_t __tsan_atomic##BITS##_##NAME(uint##BITS##_t* p, uint##BITS##_t x, int) { \
        accessed(p, BITS / 8, ATOMIC);                                                    \
        return __atomic_##NAME(p, x, __ATOMIC_RELAXED);                                   \
    }
#define ATOMICS(BITS)                                                                                             \
    CHANGE(BITS, fetch_add) CHANGE(BITS, fetch_or) CHANGE(BITS, fetch_and) CHANGE(BITS, fetch_xor)                \
    uint##BITS##_t __tsan_atomic##BITS##_load(uint##BITS##_t* p, int) {                                           \
        accessed(p, BITS / 8, ATOMIC);                                                                            \
        return __atomic_load_n(p, __ATOMIC_RELAXED);                                                              \
    }                                                                                                             \
    int __tsan_atomic##BITS##_compare_exchange_strong(                                                            \
        uint##BITS##_t* p, uint##BITS##_t* old, uint##BITS##_t x, int, int                                        \
    ) {                                                                                                           \
        accessed(p, BITS / 8, ATOMIC);                                                                            \
        return __atomic_compare_exchange_n(p, old, x, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);                     \
    }
ATOMICS(32) ATOMICS(64)
}

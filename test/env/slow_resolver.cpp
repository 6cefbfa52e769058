// LD_PRELOAD library: looking up a host under .slow.invalid takes 30 s and fails, everything else
// goes to the real resolver. For tests of what may not wait for a hanging DNS.
#include <dlfcn.h>
#include <netdb.h>
#include <string_view>
#include <time.h>

extern "C" int getaddrinfo(const char *host, const char *service, const addrinfo *hints,
                           addrinfo **found) {
    using Real = int (*)(const char *, const char *, const addrinfo *, addrinfo **);
    if (host != nullptr && std::string_view(host).ends_with(".slow.invalid")) {
        timespec left{30, 0};
        while (nanosleep(&left, &left) != 0) {
        }
        return EAI_AGAIN;
    }
    const auto real = reinterpret_cast<Real>(dlsym(RTLD_NEXT, "getaddrinfo"));
    return real(host, service, hints, found);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/ingress_places.h"

#include "base/check.h"

#include <errno.h>
#include <string.h>

const struct ingress_place *ingress_places_find(const struct ingress_places *places, uint32_t interface_index)
{
	for (size_t i = 0; i < places->count; i++)
		if (places->all[i].interface_index == interface_index)
			return &places->all[i];
	return NULL;
}

bool ingress_place_is_wanted(const struct ingress_place *place, const struct interface_list *list, const bool *wanted)
{
	for (size_t i = 0; i < list->count; i++)
		if (wanted[i] && list->interfaces[i].index == place->interface_index &&
		    strcmp(list->interfaces[i].name, place->interface) == 0)
			return true;
	return false;
}

const char *ingress_problem(int error)
{
	switch (error) {
	case -EPERM:
		return "CAP_NET_ADMIN is needed";
	case -ENOSPC:
		return "it is at as many interfaces as it can be";
	case -EMEDIUMTYPE:
		return "its packets have another header than the program reads";
	case -EUSERS:
		return "too many others have it there";
	default:
		return strerror(-error);
	}
}

int ingress_places_attach(struct ingress_places *places, const struct ingress_program *program,
			  const struct interface *interface)
{
	if (ingress_places_find(places, interface->index) != NULL)
		return 0;
	if (places->count == INGRESS_PLACES_MAX)
		return -ENOSPC;
	struct ingress_place *place = &places->all[places->count];
	*place = (struct ingress_place){ .interface_index = interface->index };
	memcpy(place->interface, interface->name, sizeof(place->interface));
	int result = ingress_attach(program, interface->index, &place->ingress);
	if (result == 0)
		places->count++;
	return result;
}

void ingress_places_detach(struct ingress_places *places, size_t number)
{
	CHECK(number < places->count);
	ingress_detach(&places->all[number].ingress);
	places->count--;
	places->all[number] = places->all[places->count];
}

void ingress_places_detach_all(struct ingress_places *places)
{
	while (places->count > 0)
		ingress_places_detach(places, places->count - 1);
}

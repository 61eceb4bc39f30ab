import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.annotation.*;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.api.server.RequestDetails;
import ca.uhn.fhir.rest.param.ReferenceParam;
import ca.uhn.fhir.rest.param.StringParam;
import ca.uhn.fhir.rest.param.DateParam;
import ca.uhn.fhir.rest.param.TokenParam;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.HashMapResourceProvider;
import ca.uhn.fhir.util.FhirTerser;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.eclipse.jetty.ee10.servlet.*;
import org.eclipse.jetty.server.*;
import org.hl7.fhir.instance.model.api.*;
import org.hl7.fhir.r4.model.*;

/**
 * A HAPI plain server with its data in memory, as a partner that we did not write:
 * java Plain PORT [transactions]. Its CapabilityStatement is the one that HAPI makes.
 */
public class Plain {
  static final FhirContext R4 = FhirContext.forR4();
  static final Map<String, Kept<?>> kept = new LinkedHashMap<>();

  /** Resources of one type. */
  public static class Kept<T extends IBaseResource> extends HashMapResourceProvider<T> {
    Kept(Class<T> type) { super(R4, type); }

    @Search
    public synchronized List<IBaseResource> byIdentifier(@RequiredParam(name = "identifier") TokenParam id, RequestDetails d) {
      List<IBaseResource> out = new ArrayList<>();
      for (T r : all()) if (bears(r, id.getSystem(), id.getValue())) out.add(r);
      return out;
    }

    List<T> all() { return new ArrayList<>(getStoredResources()); }
  }

  public static class Patients extends Kept<Patient> {
    Patients() { super(Patient.class); }

    @Search
    public synchronized List<IBaseResource> byName(@RequiredParam(name = "family") StringParam family, @OptionalParam(name = "given") StringParam given,
        @RequiredParam(name = "birthdate") DateParam born, RequestDetails d) {
      List<IBaseResource> out = new ArrayList<>();
      for (Patient p : all())
        if (p.getBirthDateElement().getValueAsString() != null && p.getBirthDateElement().getValueAsString().equals(born.getValueAsString())
            && p.getName().stream().anyMatch(n -> n.getFamily() != null && n.getFamily().equalsIgnoreCase(family.getValue()))) out.add(p);
      return out;
    }
  }

  /** What is about a patient. */
  public static class About<T extends IBaseResource> extends Kept<T> {
    About(Class<T> type) { super(type); }

    @Search
    public synchronized List<IBaseResource> byPatient(@RequiredParam(name = "patient") ReferenceParam patient, RequestDetails d) {
      List<IBaseResource> out = new ArrayList<>();
      for (T r : all())
        for (IBase ref : R4.newTerser().getValues(r, R4.getResourceType(r) + (R4.getResourceType(r).equals("Task") ? ".for" : ".subject")))
          if (((Reference) ref).getReferenceElement().getIdPart().equals(patient.getIdPart())) out.add(r);
      return out;
    }
  }

  static boolean bears(IBaseResource r, String system, String value) {
    for (IBase id : R4.newTerser().getValues(r, R4.getResourceType(r) + ".identifier")) {
      Identifier i = (Identifier) id;
      if (Objects.equals(i.getSystem(), system) && Objects.equals(i.getValue(), value)) return true;
    }
    return false;
  }

  /** Transactions of creates, each under the condition that none bears an identifier. */
  public static class Transactions {
    @Transaction
    @SuppressWarnings({"unchecked", "rawtypes"})
    public Bundle run(@TransactionParam Bundle in, RequestDetails d) {
      Bundle out = new Bundle().setType(Bundle.BundleType.TRANSACTIONRESPONSE);
      Map<String, String> keys = new HashMap<>();
      synchronized (Plain.class) {
        for (Bundle.BundleEntryComponent e : in.getEntry()) {
          Kept k = kept.get(e.getResource().fhirType());
          String found = null, crit = java.net.URLDecoder.decode(e.getRequest().getIfNoneExist(), StandardCharsets.UTF_8).replaceFirst("^identifier=", "");
          for (Object o : k.all())
            for (String one : crit.split(",")) {
              int bar = one.lastIndexOf('|');
              if (bears((IBaseResource) o, one.substring(0, bar), one.substring(bar + 1))) found = ((IBaseResource) o).getIdElement().getIdPart();
            }
          String status = "200";
          if (found == null) {
            found = k.create(e.getResource(), d).getId().getIdPart();
            status = "201";
          }
          keys.put(e.getFullUrl(), e.getResource().fhirType() + "/" + found);
          out.addEntry().getResponse().setStatus(status).setLocation(keys.get(e.getFullUrl()) + "/_history/1");
        }
        for (Kept<?> k : kept.values())
          for (IBaseResource r : k.all())
            for (Reference ref : R4.newTerser().getAllPopulatedChildElementsOfType(r, Reference.class))
              if (keys.containsKey(ref.getReference())) ref.setReference(keys.get(ref.getReference()));
      }
      return out;
    }
  }

  public static void main(String[] args) throws Exception {
    kept.put("Patient", new Patients());
    for (Class<? extends IBaseResource> c : List.of(Condition.class, Goal.class, CarePlan.class, Flag.class, Observation.class, QuestionnaireResponse.class,
        DocumentReference.class, ServiceRequest.class, Task.class)) kept.put(c.getSimpleName(), new About<>(c));
    for (Class<? extends IBaseResource> c : List.of(Organization.class, Practitioner.class)) kept.put(c.getSimpleName(), new Kept<>(c));
    RestfulServer fhir = new RestfulServer(R4);
    fhir.registerProviders(new ArrayList<Object>(kept.values()));
    if (args.length > 1) fhir.registerProvider(new Transactions());
    Server server = new Server(Integer.parseInt(args[0]));
    ServletContextHandler all = new ServletContextHandler();
    all.setContextPath("/");
    all.addServlet(new ServletHolder(fhir), "/fhir/*");
    server.setHandler(all);
    server.start();
    System.out.println("listening on " + ((ServerConnector) server.getConnectors()[0]).getLocalPort());
    System.out.flush();
    server.join();
  }
}
